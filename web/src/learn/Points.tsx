// Candidates with labels as the points of a plot; each leads to its job.
import type { ComponentChildren } from "preact";
import { useLocation } from "wouter-preact";
import type { LabelPoint } from "../api/schema";
import { eV } from "../words";

interface Props {
  points: LabelPoint[];
  functional: string;
  /** Where one stands, px. */
  at: (one: LabelPoint) => { cx: number; cy: number };
  /** What is drawn below its dot. */
  below?: (one: LabelPoint) => ComponentChildren;
}

export function Points({ points, functional, at, below }: Props) {
  const [, go] = useLocation();
  return (
    <>
      {points.map((one) => (
        <g key={one.candidate} class="point" onClick={() => go(`/jobs/${one.job}`)}>
          {below?.(one)}
          <circle {...at(one)} r={points.length > 300 ? 2.5 : 4} />
          <title>{`${one.job_name}: #${one.candidate}, ${one.site}. ${functional} ${eV(one.label)} eV (${one.code}), members ${eV(one.mean)} ± ${eV(one.std)} eV`}</title>
        </g>
      ))}
    </>
  );
}
