// What the form holds, and the request that it makes.
import type { JobRequest } from "../api/schema";

export type FileIs = "slab" | "adslab" | "bulk";
export type Parameters = Record<string, Record<string, unknown> | unknown>;

/** A molecule that the server made of a SMILES, and which of its atoms bind. */
export interface OwnMolecule {
  smiles: string;
  symbols: string[];
  numbers: number[];
  positions: number[][];
  binding: number[];
}

export interface Draft {
  source: "file" | "element" | "compound";
  file: { name: string; text: string; format: string } | null;
  fileIs: FileIs;
  /** Of an adslab: which atoms are the molecule, such as `36, 37` or `36-38`, counted from 0; empty where tags say it. */
  molecule: string;
  element: string;
  crystal: string;
  prototype: string;
  elements: string;
  a: string;
  c: string;
  miller: string;
  conventional: boolean;
  termination: string;
  depth: string;
  width: string;
  vacuum: string;
  /** By OC20's name. */
  adsorbate: string;
  /** By SMILES; null where it goes by its name. */
  own: OwnMolecule | null;
  parameters: Parameters;
  name: string;
  priority: string;
  group: string;
}

export const NO_MOLECULE: OwnMolecule = { smiles: "", symbols: [], numbers: [], positions: [], binding: [] };

export const START: Draft = {
  source: "file", file: null, fileIs: "slab", molecule: "", element: "Pt", crystal: "", prototype: "rocksalt", elements: "Mg O", a: "", c: "",
  miller: "1 1 1", conventional: false, termination: "0", depth: "7", width: "8", vacuum: "20", adsorbate: "", own: null, parameters: {}, name: "", priority: "0", group: "",
};

export const FORMATS: Record<string, string> = { poscar: "POSCAR", cif: "CIF", extxyz: "extended XYZ", "ase-json": "ASE JSON" };

/** By its name, or else by what it looks like. */
export function formatOf(name: string, text: string): string {
  const low = name.toLowerCase();
  if (low.endsWith(".cif")) return "cif";
  if (low.endsWith(".xyz") || low.endsWith(".extxyz")) return "extxyz";
  if (low.endsWith(".json")) return "ase-json";
  if (/poscar|contcar|\.vasp$/.test(low)) return "poscar";
  if (/^\s*data_/m.test(text)) return "cif";
  return /^\s*\d+\s*$/.test(text.split("\n")[0] ?? "") ? "extxyz" : "poscar";
}

/** `36, 40-42` as 36, 40, 41, 42; null where it is no such list. */
export function indicesOf(text: string): number[] | null {
  const found: number[] = [];
  for (const part of text.split(/[\s,;]+/).filter(Boolean)) {
    const range = /^(\d+)(?:[-–](\d+))?$/.exec(part);
    if (!range) return null;
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    if (last - first > 1000) return null;
    for (let index = first; index <= last; index += 1) found.push(index);
  }
  return found;
}

type Input = JobRequest["input"];
type Made = { input: Input | null; missing: string };

export function inputOf(draft: Draft): Made {
  if (draft.source === "file") return fromFile(draft);
  const unchosen = moleculeMissing(draft);
  if (unchosen) return { input: null, missing: unchosen };
  const bulk =
    draft.source === "element"
      ? { element: draft.element.trim(), ...(draft.crystal && { crystal: draft.crystal }), ...lattice(draft) }
      : { prototype: draft.prototype, elements: draft.elements.split(/[\s,]+/).filter(Boolean), ...lattice(draft) };
  return { input: cut(draft, bulk), missing: "" };
}

function fromFile(draft: Draft): Made {
  if (!draft.file) return { input: null, missing: "Drop a POSCAR, a CIF or an extended XYZ, or choose an element." };
  const structure = { format: draft.file.format, text: draft.file.text };
  if (draft.fileIs === "adslab") {
    const indices = indicesOf(draft.molecule);
    if (indices === null) return { input: null, missing: "Give the molecule's atoms as numbers, such as 36, 37 or 36-38." };
    return { input: { kind: "adslab", structure, ...(indices.length ? { adsorbate_indices: indices } : {}) } as Input, missing: "" };
  }
  const unchosen = moleculeMissing(draft);
  if (unchosen) return { input: null, missing: unchosen };
  if (draft.fileIs === "slab") return { input: { kind: "slab", slab: structure, adsorbate: moleculeOf(draft) } as Input, missing: "" };
  return { input: cut(draft, structure), missing: "" };
}

function moleculeMissing({ adsorbate, own }: Draft): string {
  if (own && !own.symbols.length) return "Give the molecule's SMILES, and build it.";
  if (own) return own.binding.length ? "" : "Say which atoms of the molecule point at the surface.";
  return adsorbate ? "" : "Choose a molecule.";
}

function moleculeOf({ adsorbate, own }: Draft): unknown {
  if (!own) return adsorbate;
  const nowhere = [[0, 0, 0], [0, 0, 0], [0, 0, 0]];
  return { structure: { format: "arrays", numbers: own.numbers, positions: own.positions, cell: nowhere, pbc: [false, false, false] }, binding: own.binding };
}

function lattice(draft: Draft): Record<string, number> {
  return { ...(draft.a && { a: Number(draft.a) }), ...(draft.c && { c: Number(draft.c) }) };
}

/** `111`, `1 1 1`, `1 -1 0` or `10-10`: a sign belongs to the digit after it. */
export function millerOf(text: string): number[] {
  const words = text.trim().split(/[\s,()]+/).filter(Boolean);
  const parts = words.length > 1 ? words : (text.match(/[-−]?\d/g) ?? []);
  return parts.map((part) => Number(part.replace("−", "-")));
}

function cut(draft: Draft, bulk: unknown): Input {
  return {
    kind: "bulk", bulk, miller: millerOf(draft.miller), conventional: draft.conventional, termination: Number(draft.termination) || 0,
    min_depth: Number(draft.depth), min_width: Number(draft.width), vacuum: Number(draft.vacuum), adsorbate: moleculeOf(draft),
  } as Input;
}
