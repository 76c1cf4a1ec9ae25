import { useRef, useState } from "preact/hooks";
import { FORMATS, formatOf, type Draft, type FileIs } from "./draft";

interface Props {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
}

const SOURCES = { file: "from a file", element: "an element", compound: "a compound" } as const;
const KINDS: Record<FileIs, [string, string]> = {
  slab: ["a clean slab", "the molecule is placed on its upper side"],
  adslab: ["a slab with the molecule on it", "its geometry is the first placement"],
  bulk: ["a bulk crystal", "it is cut along the facet"],
};
const PROTOTYPES = ["rocksalt", "zincblende", "wurtzite", "fluorite", "cesiumchloride", "B2", "rutile", "perovskite", "L1_0", "L1_2"];
const MOST_BYTES = 3_500_000;

export function Surface({ draft, change }: Props) {
  return (
    <section class="card" aria-labelledby="surface-title">
      <div class="head">
        <h2 id="surface-title">Surface</h2>
        <div class="tabs" role="group" aria-label="Where the surface comes from">
          {Object.entries(SOURCES).map(([one, words]) => (
            <button key={one} aria-pressed={draft.source === one} onClick={() => change({ source: one as Draft["source"] })}>{words}</button>
          ))}
        </div>
      </div>
      {draft.source === "file" && <FromFile draft={draft} change={change} />}
      {draft.source === "element" && (
        <div class="fields">
          <label>Element<input value={draft.element} size={4} maxLength={2} onInput={(event) => change({ element: event.currentTarget.value })} /></label>
          <label>Crystal
            <select value={draft.crystal} onChange={(event) => change({ crystal: event.currentTarget.value })}>
              <option value="">as in nature</option>
              {["fcc", "bcc", "hcp", "diamond", "sc"].map((one) => <option key={one}>{one}</option>)}
            </select>
          </label>
          <Lattice draft={draft} change={change} />
        </div>
      )}
      {draft.source === "compound" && (
        <div class="fields">
          <label>Structure<select value={draft.prototype} onChange={(event) => change({ prototype: event.currentTarget.value })}>{PROTOTYPES.map((one) => <option key={one}>{one}</option>)}</select></label>
          <label>Elements, in the order of the formula<input value={draft.elements} placeholder="Ti O" onInput={(event) => change({ elements: event.currentTarget.value })} /></label>
          <Lattice draft={draft} change={change} />
        </div>
      )}
      {(draft.source !== "file" || draft.fileIs === "bulk") && <Cut draft={draft} change={change} />}
    </section>
  );
}

function Lattice({ draft, change }: Props) {
  return (
    <>
      <label>a, Å<input value={draft.a} inputMode="decimal" placeholder="tabulated" onInput={(event) => change({ a: event.currentTarget.value })} /></label>
      <label>c, Å<input value={draft.c} inputMode="decimal" placeholder="tabulated" onInput={(event) => change({ c: event.currentTarget.value })} /></label>
    </>
  );
}

function Cut({ draft, change }: Props) {
  return (
    <div class="fields">
      <label>Facet (h k l)<input value={draft.miller} size={8} onInput={(event) => change({ miller: event.currentTarget.value })} /></label>
      <label>Termination<input type="number" min={0} max={100} value={draft.termination} onInput={(event) => change({ termination: event.currentTarget.value })} /></label>
      <label>Least thickness, Å<input type="number" min={1} max={40} step={0.5} value={draft.depth} onInput={(event) => change({ depth: event.currentTarget.value })} /></label>
      <label>Least width, Å<input type="number" min={1} max={40} step={0.5} value={draft.width} onInput={(event) => change({ width: event.currentTarget.value })} /></label>
      <label>Vacuum, Å<input type="number" min={10} max={60} value={draft.vacuum} onInput={(event) => change({ vacuum: event.currentTarget.value })} /></label>
      {draft.source === "file" && <label class="check"><input type="checkbox" checked={draft.conventional} onChange={(event) => change({ conventional: event.currentTarget.checked })} /> index of the conventional cell</label>}
    </div>
  );
}

function FromFile({ draft, change }: Props) {
  const [over, setOver] = useState(false);
  const [problem, setProblem] = useState("");
  const chooser = useRef<HTMLInputElement>(null);
  const take = async (file: File | undefined) => {
    setOver(false);
    if (!file) return;
    if (file.size > MOST_BYTES) return setProblem(`${file.name} is larger than a structure may be`);
    const text = await file.text();
    setProblem("");
    change({ file: { name: file.name, text, format: formatOf(file.name, text) } });
  };
  return (
    <>
      <div
        class={over ? "drop over" : "drop"}
        onDragOver={(event) => { event.preventDefault(); setOver(true); }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => { event.preventDefault(); void take(event.dataTransfer?.files[0]); }}
      >
        <input ref={chooser} id="structure-file" class="hidden-file" type="file" aria-label="Structure file" onChange={(event) => void take(event.currentTarget.files?.[0])} />
        <p>
          {draft.file ? <b>{draft.file.name}</b> : <>Drop a POSCAR, a CIF or an extended XYZ here</>}
          {draft.file && (
            <label class="inline spaced">read as
              <select value={draft.file.format} onChange={(event) => change({ file: { ...draft.file!, format: event.currentTarget.value } })}>
                {Object.entries(FORMATS).map(([one, words]) => <option key={one} value={one}>{words}</option>)}
              </select>
            </label>
          )}
        </p>
        <button onClick={() => chooser.current?.click()}>{draft.file ? "Another file" : "Choose a file"}</button>
      </div>
      {problem && <p class="callout bad" role="alert">{problem}</p>}
      <fieldset class="radios">
        <legend>It holds</legend>
        {(Object.keys(KINDS) as FileIs[]).map((one) => (
          <label key={one} class="check"><input type="radio" name="file-is" checked={draft.fileIs === one} onChange={() => change({ fileIs: one })} /> <span>{KINDS[one][0]} <small class="muted">{KINDS[one][1]}</small></span></label>
        ))}
      </fieldset>
      {draft.fileIs === "adslab" && (
        <label class="block">Atoms of the molecule, counted from 0<input value={draft.molecule} placeholder="36, 37 or 36-38; empty where OC20's tags say it" onInput={(event) => change({ molecule: event.currentTarget.value })} /></label>
      )}
    </>
  );
}
