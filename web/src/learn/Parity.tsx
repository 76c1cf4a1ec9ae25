// Labels against the members' mean, with the spread as error bars.
import { useEffect, useRef, useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import type { LabelPoint } from "../api/schema";
import { ticks } from "../job/ticks";
import { eV } from "../words";

const MOST_PX = 520;
const LEFT = 56;
const RIGHT = 14;
const TOP = 10;
const FOOT = 40;
const BAND = 0.1; // eV

export function Parity({ points, functional }: { points: LabelPoint[]; functional: string }) {
  const [width, setWidth] = useState(480);
  const [, go] = useLocation();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const seen = new ResizeObserver(([entry]) => setWidth(Math.max(240, Math.min(MOST_PX, entry!.contentRect.width))));
    if (box.current) seen.observe(box.current);
    return () => seen.disconnect();
  }, []);
  const all = points.flatMap((one) => [one.label, one.mean - one.std, one.mean + one.std]);
  const [least, most] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  const margin = Math.max(0.1, 0.05 * (most - least));
  const [low, high] = [least - margin, most + margin];
  const height = width - LEFT - RIGHT + TOP + FOOT;
  const x = (energy: number) => LEFT + ((energy - low) / (high - low)) * (width - LEFT - RIGHT);
  const y = (energy: number) => height - FOOT - ((energy - low) / (high - low)) * (height - TOP - FOOT);
  const inside = (energy: number) => Math.min(high, Math.max(low, energy));
  const marks = ticks(low, high, width < 400 ? 4 : 6);
  return (
    <div ref={box}>
      <svg class="parity" width={width} height={height} role="img" aria-label={`${points.length} candidates: the members' mean against ${functional}, from ${eV(least)} to ${eV(most)} eV`}>
        {marks.map((tick) => (
          <g key={tick}>
            <line x1={x(tick)} x2={x(tick)} y1={TOP} y2={height - FOOT} class="grid" /><line x1={LEFT} x2={width - RIGHT} y1={y(tick)} y2={y(tick)} class="grid" />
            <text x={x(tick)} y={height - FOOT + 15} text-anchor="middle">{eV(tick, 1)}</text><text x={LEFT - 6} y={y(tick) + 4} text-anchor="end">{eV(tick, 1)}</text>
          </g>
        ))}
        <path class="band" d={`M${x(low)} ${y(low)}L${x(low)} ${y(inside(low + BAND))}L${x(high - BAND)} ${y(high)}L${x(high)} ${y(high)}L${x(high)} ${y(high - BAND)}L${x(inside(low + BAND))} ${y(low)}Z`} />
        <line class="equal" x1={x(low)} y1={y(low)} x2={x(high)} y2={y(high)} />
        {points.map((one) => (
          <g key={one.candidate} class="point" onClick={() => go(`/jobs/${one.job}`)}>
            <line x1={x(one.label)} x2={x(one.label)} y1={y(one.mean - one.std)} y2={y(one.mean + one.std)} />
            <circle cx={x(one.label)} cy={y(one.mean)} r={points.length > 300 ? 2.5 : 4} />
            <title>{`${one.job_name}: #${one.candidate}, ${one.site}. ${functional} ${eV(one.label)} eV (${one.code}), members ${eV(one.mean)} ± ${eV(one.std)} eV`}</title>
          </g>
        ))}
        <text x={(LEFT + width - RIGHT) / 2} y={height - 4} text-anchor="middle">by {functional}, eV</text>
        <text transform={`translate(12 ${(TOP + height - FOOT) / 2}) rotate(-90)`} text-anchor="middle">mean of the members, eV</text>
      </svg>
    </div>
  );
}
