// A small picture of a molecule, from the side, its binding atoms ringed.
import type { NamedAdsorbate } from "../api/schema";
import { color, radius } from "../structure/atoms";
import { SYMBOLS } from "../structure/elements";

const SIZE = 56;
const LARGE = 200;
const TOUCH = 1.25;

type Drawn = Pick<NamedAdsorbate, "symbols" | "positions" | "binding">;

/** numbered: large, with the number of each atom that is no hydrogen. */
export function Molecule({ one, numbered = false }: { one: Drawn; numbered?: boolean }) {
  const [right, depth] = axes(one.positions);
  const atoms = one.positions.map((place, index) => ({
    x: place[0]! * right[0] + place[1]! * right[1],
    y: -place[2]!,
    depth: place[0]! * depth[0] + place[1]! * depth[1],
    number: SYMBOLS.indexOf(one.symbols[index]!),
    binds: one.binding.includes(index),
    index,
  }));
  const size = (number: number) => 0.55 * radius(number) + 0.12;
  const xs = atoms.map((atom) => atom.x);
  const ys = atoms.map((atom) => atom.y);
  const span = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) + 2.2;
  const middle = [(Math.max(...xs) + Math.min(...xs)) / 2, (Math.max(...ys) + Math.min(...ys)) / 2] as const;
  const reach = Math.max(span, 3.4);
  const tall = numbered ? Math.max(...ys) - Math.min(...ys) + 2.2 : reach; // a large one leaves no room empty
  const bonds = atoms.flatMap((atom) =>
    atoms.filter((other) => other.index > atom.index && apart(one.positions[atom.index]!, one.positions[other.index]!) < TOUCH * (radius(atom.number) + radius(other.number))).map((other) => [atom, other] as const),
  );
  return (
    <svg class="molecule" width={numbered ? LARGE : SIZE} height={numbered ? (LARGE * tall) / reach : SIZE} viewBox={`${middle[0] - reach / 2} ${middle[1] - tall / 2} ${reach} ${tall}`} aria-hidden="true">
      {bonds.map(([from, to]) => <line key={`${from.index}-${to.index}`} x1={from.x} y1={from.y} x2={to.x} y2={to.y} class="bond" stroke-width={0.22} />)}
      {[...atoms].sort((atom, other) => atom.depth - other.depth).map((atom) => (
        <circle key={atom.index} cx={atom.x} cy={atom.y} r={size(atom.number)} fill={color(atom.number)} class={atom.binds ? "ball binds" : "ball"} stroke-width={atom.binds ? 0.14 : 0.06} />
      ))}
      {numbered && atoms.map((atom) => (atom.number > 1 || atom.binds) && (
        <text key={`n${atom.index}`} x={atom.x} y={atom.y + 0.16} class="number" text-anchor="middle">{atom.index}</text>
      ))}
    </svg>
  );
}

/** The horizontal direction in which the molecule is widest, and the one across. */
function axes(positions: number[][]): [[number, number], [number, number]] {
  const mean = [0, 1].map((axis) => positions.reduce((sum, place) => sum + place[axis]!, 0) / positions.length);
  let [xx, xy, yy] = [0, 0, 0];
  for (const place of positions) {
    const [x, y] = [place[0]! - mean[0]!, place[1]! - mean[1]!];
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  const angle = Math.atan2(2 * xy, xx - yy) / 2;
  return [[Math.cos(angle), Math.sin(angle)], [Math.sin(angle), -Math.cos(angle)]];
}

function apart(one: number[], other: number[]): number {
  return Math.hypot(...one.map((value, axis) => value - other[axis]!));
}
