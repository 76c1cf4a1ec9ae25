// Energy of what each hop came to, and the line of the minima where the walker stood.
import { useWidth } from "../hooks";
import { eV } from "../words";
import type { Hop } from "./hops";
import { ticks } from "./ticks";

interface Props {
  hops: Hop[];
  shown: number[];
  show: (shown: number[]) => void;
}

const HEIGHT = 150;
const LEFT = 52;
const RIGHT = 14;
const TOP = 12;
const FOOT = 34;

export function HopPlot({ hops, shown, show }: Props) {
  const [box, width] = useWidth(240, 560);
  const found = hops.flatMap((one) => (one.found ? [{ ...one, found: one.found }] : []));
  const lowest = Math.min(...found.map((one) => one.found.energy));
  const highest = Math.max(...found.map((one) => one.found.energy)) - lowest || 0.1;
  const x = (hop: number) => LEFT + ((width - LEFT - RIGHT) * hop) / Math.max(1, hops.length - 1);
  const y = (energy: number) => TOP + (HEIGHT - TOP - FOOT) * (1 - (energy - lowest) / highest);
  let path = "";
  for (const one of found.filter((each) => each.accepted)) path += path ? `H${x(one.hop)}V${y(one.found.energy)}` : `M${x(one.hop)} ${y(one.found.energy)}`;
  path += `H${x(hops.length - 1)}`;
  return (
    <div ref={box}>
      <svg class="hop-plot" width={width} height={HEIGHT} role="img" aria-label={`Energy by hop, up to ${eV(highest)} eV above the lowest; the table has it as numbers`}>
        {ticks(0, highest, 3).map((tick) => (
          <g key={tick}><line x1={LEFT} x2={width - RIGHT} y1={y(lowest + tick)} y2={y(lowest + tick)} class="grid" /><text x={LEFT - 11} y={y(lowest + tick) + 4} class="tick" text-anchor="end">{eV(tick, 2)}</text></g>
        ))}
        {hops.filter((_, at) => hops.length < 16 || at % 5 === 0).map((one) => <text key={one.hop} x={x(one.hop)} y={HEIGHT - FOOT + 16} class="tick" text-anchor="middle">{one.hop}</text>)}
        <text x={(LEFT + width - RIGHT) / 2} y={HEIGHT - 3} class="tick" text-anchor="middle">hop; eV above its lowest, filled where it was accepted</text>
        <path d={path} class="stood" />
        {found.map((one) => (
          <circle key={one.hop} cx={x(one.hop)} cy={y(one.found.energy)} r={shown.includes(one.found.id) ? 7 : 5} class={one.accepted ? "hop accepted" : "hop"} onClick={() => show([one.found.id])}>
            <title>{`hop ${one.hop}: #${one.found.id}, ${one.words}`}</title>
          </circle>
        ))}
      </svg>
    </div>
  );
}
