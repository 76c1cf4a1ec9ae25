// Atoms as they are drawn: Jmol's colours (jmol.sourceforge.net/jscolors), covalent radii of Cordero et al.,
// Dalton Trans. 2832 (2008), doi:10.1039/b801115j.
import type { StructureView } from "../api/schema";
import { COLORS, RADII, SYMBOLS } from "./elements";

export interface Shown {
  elem: string;
  x: number;
  y: number;
  z: number;
  bonds: number[];
  color: string;
  radius: number;
  marked: boolean;
}

const TOUCH = 1.2;
const GREY = 150;

export function symbol(number: number): string {
  return SYMBOLS[number] ?? "X";
}

export function color(number: number): string {
  return `#${COLORS[number] ?? "ff1493"}`;
}

export function radius(number: number): number {
  return RADII[number] ?? 1.5;
}

export function elements(structure: StructureView): { symbol: string; color: string; n: number }[] {
  const counted = new Map<number, number>();
  for (const number of structure.numbers) counted.set(number, (counted.get(number) ?? 0) + 1);
  return [...counted].map(([number, n]) => ({ symbol: symbol(number), color: color(number), n }));
}

/** Of an atom that never moves: a third of its colour, the rest grey. */
function pale(hex: string): string {
  const part = (at: number) => Math.round((Number.parseInt(hex.slice(at, at + 2), 16) + 2 * GREY) / 3);
  return `rgb(${part(1)}, ${part(3)}, ${part(5)})`;
}

/** The atoms, with the neighbouring cells' where they are asked for. Bonds are drawn within the adsorbate. */
export function atomsOf(structure: StructureView, marked: number[], repeated: boolean): Shown[] {
  const [a, b] = structure.cell as [number[], number[]];
  const shifts = repeated ? [[0, 0], [1, 0], [0, 1], [1, 1]] : [[0, 0]];
  return shifts.flatMap(([i, j], image) => {
    const first = image * structure.numbers.length;
    return structure.numbers.map((number, index): Shown => {
      const place = (axis: number) => structure.positions[index]![axis]! + i! * a[axis]! + j! * b[axis]!;
      const molecule = structure.tags[index] === 2;
      return {
        elem: symbol(number),
        x: place(0),
        y: place(1),
        z: place(2),
        bonds: molecule ? bondsOf(structure, index).map((other) => other + first) : [],
        color: structure.fixed[index] ? pale(color(number)) : color(number),
        radius: radius(number) * (molecule ? 0.55 : 0.85),
        marked: image === 0 && marked.includes(index),
      };
    });
  });
}

function bondsOf(structure: StructureView, index: number): number[] {
  const here = structure.positions[index]!;
  return structure.numbers.flatMap((number, other) => {
    if (other === index || structure.tags[other] !== 2) return [];
    const there = structure.positions[other]!;
    const apart = Math.hypot(...here.map((value, axis) => value - there[axis]!));
    return apart < TOUCH * (radius(number) + radius(structure.numbers[index]!)) ? [other] : [];
  });
}
