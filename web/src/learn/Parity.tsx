// Labels against the members' mean, with the spread as error bars.
import type { LabelPoint } from "../api/schema";
import { eV } from "../words";
import { Axes } from "./Axes";
import { Points } from "./Points";

const BAND = 0.1; // eV

export function Parity({ points, functional }: { points: LabelPoint[]; functional: string }) {
  const all = points.flatMap((one) => [one.label, one.mean - one.std, one.mean + one.std]);
  const [least, most] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  const margin = Math.max(0.1, 0.05 * (most - least));
  const [low, high] = [least - margin, most + margin];
  const inside = (energy: number) => Math.min(high, Math.max(low, energy));
  return (
    <Axes kind="parity" across={{ low, high, words: `by ${functional}, eV` }} up={{ low, high, words: "mean of the members, eV" }} digits={1} label={`${points.length} candidates: the members' mean against ${functional}, from ${eV(least)} to ${eV(most)} eV`}>
      {({ x, y }) => (
        <>
          <path class="band" d={`M${x(low)} ${y(low)}L${x(low)} ${y(inside(low + BAND))}L${x(high - BAND)} ${y(high)}L${x(high)} ${y(high)}L${x(high)} ${y(high - BAND)}L${x(inside(low + BAND))} ${y(low)}Z`} />
          <line class="equal" x1={x(low)} y1={y(low)} x2={x(high)} y2={y(high)} />
          <Points points={points} functional={functional} at={(one) => ({ cx: x(one.label), cy: y(one.mean) })} below={(one) => <line x1={x(one.label)} x2={x(one.label)} y1={y(one.mean - one.std)} y2={y(one.mean + one.std)} />} />
        </>
      )}
    </Axes>
  );
}
