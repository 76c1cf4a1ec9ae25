// How far off the members' mean is against how far they disagree: what a limit of their std would keep, and whether it should.
import type { LabelPoint } from "../api/schema";
import { count, eV } from "../words";
import { Axes } from "./Axes";
import { Points } from "./Points";

/** right: within so many eV an energy is right. */
export function Errors({ points, functional, right }: { points: LabelPoint[]; functional: string; right: number }) {
  const off = (one: LabelPoint) => Math.abs(one.mean - one.label);
  const widest = 1.06 * Math.max(0.05, ...points.map((one) => one.std));
  const furthest = 1.06 * Math.max(1.5 * right, ...points.map(off));
  const sorted = [...points].sort((a, b) => a.std - b.std);
  const half = Math.ceil(points.length / 2);
  const share = (some: LabelPoint[]) => `${Math.round((100 * some.filter((one) => off(one) <= right).length) / some.length)} %`;
  return (
    <>
      <Axes kind="errors" across={{ low: 0, high: widest, words: "std of the members, eV" }} up={{ low: 0, high: furthest, words: `off from ${functional}, eV` }} shape={0.62} digits={2} label={`${points.length} candidates: how far the members' mean is from ${functional}, up to ${eV(furthest)} eV, against their std, up to ${eV(widest)} eV`}>
        {({ x, y }) => (
          <>
            <rect class="band" x={x(0)} y={y(right)} width={x(widest) - x(0)} height={y(0) - y(right)} />
            <Points points={points} functional={functional} at={(one) => ({ cx: x(one.std), cy: y(off(one)) })} />
          </>
        )}
      </Axes>
      {points.length > 1 && (
        <p class="muted small told">
          Within {eV(right, 2)} eV of {functional}: <b>{share(sorted.slice(0, half))}</b> of the {count(half)} that the members agree on best, <b>{share(sorted.slice(half))}</b> of the other {count(points.length - half)}. A limit of the spread helps as far as these differ.
        </p>
      )}
    </>
  );
}
