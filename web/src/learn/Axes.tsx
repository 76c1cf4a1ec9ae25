// A plot's two axes in eV, as wide as there is room for.
import type { ComponentChildren } from "preact";
import { useWidth } from "../hooks";
import { ticks } from "../job/ticks";
import { eV } from "../words";

const MOST_PX = 520;
const LEFT = 56;
const RIGHT = 14;
const TOP = 10;
const FOOT = 40;

export interface Axis {
  /** eV */
  low: number;
  high: number;
  words: string;
}

export interface Drawn {
  /** Of energies in eV, to px. */
  x: (energy: number) => number;
  y: (energy: number) => number;
}

interface Props {
  kind: string;
  across: Axis;
  up: Axis;
  /** Height of the plot over its width. */
  shape?: number;
  digits: number;
  /** What it shows, for those who don't see it. */
  label: string;
  children: (drawn: Drawn) => ComponentChildren;
}

export function Axes({ kind, across, up, shape = 1, digits, label, children }: Props) {
  const [box, width] = useWidth(240, 480, MOST_PX);
  const height = (width - LEFT - RIGHT) * shape + TOP + FOOT;
  const x = (energy: number) => LEFT + ((energy - across.low) / (across.high - across.low)) * (width - LEFT - RIGHT);
  const y = (energy: number) => height - FOOT - ((energy - up.low) / (up.high - up.low)) * (height - TOP - FOOT);
  const wanted = width < 400 ? 4 : 6;
  return (
    <div ref={box}>
      <svg class={`scatter ${kind}`} width={width} height={height} role="img" aria-label={label}>
        {ticks(across.low, across.high, wanted).map((tick) => (
          <g key={tick}><line x1={x(tick)} x2={x(tick)} y1={TOP} y2={height - FOOT} class="grid" /><text x={x(tick)} y={height - FOOT + 15} text-anchor="middle">{eV(tick, digits)}</text></g>
        ))}
        {ticks(up.low, up.high, wanted).map((tick) => (
          <g key={tick}><line x1={LEFT} x2={width - RIGHT} y1={y(tick)} y2={y(tick)} class="grid" /><text x={LEFT - 6} y={y(tick) + 4} text-anchor="end">{eV(tick, digits)}</text></g>
        ))}
        {children({ x, y })}
        <text x={(LEFT + width - RIGHT) / 2} y={height - 4} text-anchor="middle">{across.words}</text>
        <text transform={`translate(12 ${(TOP + height - FOOT) / 2}) rotate(-90)`} text-anchor="middle">{up.words}</text>
      </svg>
    </div>
  );
}
