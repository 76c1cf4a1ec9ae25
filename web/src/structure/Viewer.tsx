// A structure in 3-D, by 3Dmol, which is loaded when the first one is shown.
import { useEffect, useRef, useState } from "preact/hooks";
import type { StructureView } from "../api/schema";
import { atomsOf, elements, type Shown } from "./atoms";

const FILLED = 0.94; // of the picture
const NARROW = 7; // Å
type Mol = typeof import("3dmol");
type Viewer3D = ReturnType<Mol["createViewer"]>;

interface Props {
  structure: StructureView;
  label: string;
  /** Atoms that are marked: those that bind, say. */
  marked?: number[];
}

export function Viewer({ structure, label, marked = [] }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const viewer = useRef<Viewer3D | null>(null);
  const drawn = useRef<{ mol: Mol; atoms: Shown[] } | null>(null);
  const [repeated, repeat] = useState(() => isSmall(structure));
  const [side, lookFromSide] = useState(true);
  const [problem, setProblem] = useState("");
  const sideNow = useRef(side);
  const face = (fromSide: boolean) => {
    sideNow.current = fromSide;
    if (viewer.current && drawn.current && box.current) turn(viewer.current, fromSide, drawn.current, box.current);
  };
  const known = JSON.stringify([structure.positions, structure.cell, marked, repeated]);
  useEffect(() => {
    let gone = false;
    void import("3dmol").then((mol) => {
      if (gone || !box.current) return;
      try {
        viewer.current ??= made(mol, box.current);
        drawn.current = { mol, atoms: atomsOf(structure, marked, repeated) };
        draw(mol, viewer.current, drawn.current.atoms, structure);
        face(side);
      } catch {
        setProblem("This browser can't draw in 3-D (WebGL is off).");
      }
    }, () => setProblem("The 3-D view can't be loaded just now."));
    return () => {
      gone = true;
    };
  }, [known]);
  useEffect(() => {
    const seen = new ResizeObserver(() => {
      viewer.current?.resize();
      face(sideNow.current);
    });
    if (box.current) seen.observe(box.current);
    return () => seen.disconnect();
  }, []);
  const look = (fromSide: boolean) => {
    lookFromSide(fromSide);
    face(fromSide);
  };
  const move = (act: (view: Viewer3D) => void) => () => {
    if (!viewer.current) return;
    act(viewer.current);
    viewer.current.render();
  };
  return (
    <figure class="viewer">
      <div class="canvas" ref={box} role="img" aria-label={`${label}: ${described(structure)}`}>{problem && <p class="empty">{problem}</p>}</div>
      <figcaption>
        <div class="tabs" role="group" aria-label="How to look at it">
          <button aria-pressed={side} onClick={() => look(true)}>side</button>
          <button aria-pressed={!side} onClick={() => look(false)}>top</button>
          <button aria-label="Turn left" onClick={move((view) => view.rotate(-15, "vy"))}>↺</button>
          <button aria-label="Turn right" onClick={move((view) => view.rotate(15, "vy"))}>↻</button>
          <button aria-label="Nearer" onClick={move((view) => view.zoom(1.2))}>+</button>
          <button aria-label="Further" onClick={move((view) => view.zoom(1 / 1.2))}>−</button>
          <button aria-pressed={repeated} onClick={() => repeat(!repeated)} title="Show the neighbouring cells">2×2</button>
        </div>
        <ul class="legend">
          {elements(structure).map(({ symbol, color, n }) => (
            <li key={symbol}><svg width="10" height="10" aria-hidden="true"><circle cx="5" cy="5" r="4.5" fill={color} class="ball" /></svg> {symbol}<small>{n}</small></li>
          ))}
          {structure.fixed.some(Boolean) && <li class="muted">pale: fixed</li>}
        </ul>
      </figcaption>
    </figure>
  );
}

function made(mol: Mol, element: HTMLElement): Viewer3D {
  return mol.createViewer(element, { backgroundAlpha: 0, antialias: true, disableFog: true, orthographic: true });
}

function draw(mol: Mol, view: Viewer3D, atoms: Shown[], structure: StructureView): void {
  view.removeAllModels();
  view.removeAllShapes();
  const model = view.addModel();
  model.addAtoms(
    atoms.map((atom, serial) => ({ ...atom, serial, bondOrder: atom.bonds.map(() => 1), hetflag: true })) as Parameters<typeof model.addAtoms>[0],
  );
  atoms.forEach((atom, serial) => {
    const stick = atom.bonds.length ? { stick: { color: atom.color, radius: 0.14 } } : {};
    model.setStyle({ serial }, { sphere: { color: atom.color, radius: atom.radius }, ...stick });
    if (atom.marked) view.addSphere({ center: new mol.Vector3(atom.x, atom.y, atom.z), radius: atom.radius + 0.12, color: "#d97706", wireframe: true });
  });
  for (const [from, to] of edges(structure.cell))
    view.addLine({ start: new mol.Vector3(...from), end: new mol.Vector3(...to), color: "#8a94a0" });
}

/** From the side or from above, as near as all atoms allow, whatever shape the picture has. The vacuum may stick out. */
function turn(view: Viewer3D, side: boolean, { mol, atoms }: { mol: Mol; atoms: Shown[] }, box: HTMLElement): void {
  view.setView([0, 0, 0, 0, 0, 0, 0, 1]);
  if (side) view.rotate(-80, "x");
  view.zoomTo({});
  view.render();
  const on = (x: number, y: number, z: number): { x: number; y: number } => view.modelToScreen(new mol.Vector3(x, y, z)) as unknown as { x: number; y: number };
  const mean = (["x", "y", "z"] as const).map((axis) => atoms.reduce((sum, atom) => sum + atom[axis], 0) / atoms.length) as Point;
  const middle = on(...mean); // which stands in the middle of the picture
  const per = Math.abs(on(mean[0] + 1, mean[1], mean[2]).x - middle.x); // Å; the first axis lies across the picture in both views
  const up = [0, (middle.y - on(mean[0], mean[1] + 1, mean[2]).y) / per, (middle.y - on(mean[0], mean[1], mean[2] + 1).y) / per];
  const seen = atoms.map((atom) => ({ ...on(atom.x, atom.y, atom.z), r: atom.radius * per }));
  const [left, right] = [Math.min(...seen.map((one) => one.x - one.r)), Math.max(...seen.map((one) => one.x + one.r))];
  const [top, bottom] = [Math.min(...seen.map((one) => one.y - one.r)), Math.max(...seen.map((one) => one.y + one.r))];
  const larger = FILLED * Math.min(box.clientWidth / (right - left), box.clientHeight / (bottom - top));
  if (!Number.isFinite(larger) || larger <= 0) return;
  const across = ((left + right) / 2 - middle.x) / per;
  const above = (middle.y - (top + bottom) / 2) / per;
  const centre = mean.map((value, axis) => value + (axis === 0 ? across : 0) + above * up[axis]!);
  view.setView([...centre.map((value) => -value), ...(view.getView() as number[]).slice(3)]);
  view.zoom(larger);
  view.render();
}

/** Whether a cell is so narrow that a molecule is only understood beside its images. */
function isSmall(structure: StructureView): boolean {
  return structure.cell.slice(0, 2).some((vector) => Math.hypot(...vector) < NARROW);
}

type Point = [number, number, number];

function edges(cell: number[][]): [Point, Point][] {
  const at = (i: number, j: number, k: number): Point =>
    [0, 1, 2].map((axis) => i * cell[0]![axis]! + j * cell[1]![axis]! + k * cell[2]![axis]!) as Point;
  const found: [Point, Point][] = [];
  for (const a of [0, 1]) for (const b of [0, 1]) found.push([at(0, a, b), at(1, a, b)], [at(a, 0, b), at(a, 1, b)], [at(a, b, 0), at(a, b, 1)]);
  return found;
}

function described(structure: StructureView): string {
  const parts = elements(structure).map(({ symbol, n }) => `${n} ${symbol}`);
  return `${parts.join(", ")}; ${structure.fixed.filter(Boolean).length} of them fixed`;
}
