// A molecule of one's own by its SMILES: the server makes it, and it is said here which of its atoms bind.
import { useState } from "preact/hooks";
import { get } from "../api/client";
import type { BuiltMolecule } from "../api/schema";
import { said } from "../hooks";
import { Failed } from "../parts/basics";
import { NO_MOLECULE, type OwnMolecule } from "./draft";
import { Molecule } from "./Molecule";

interface Props {
  /** Whether the server reads SMILES. */
  there: boolean;
  own: OwnMolecule;
  set: (own: OwnMolecule) => void;
}

export function Smiles({ there, own, set }: Props) {
  const [text, setText] = useState(own.smiles);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  if (!there)
    return <p class="callout">This server has no RDKit, which reads SMILES: ask whoever runs it to install it, or give a file of the slab with the molecule on it.</p>;
  const build = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      const { smiles, symbols, numbers, positions } = await get<BuiltMolecule>("v1/adsorbates/smiles", { text: text.trim() });
      set({ smiles, symbols, numbers, positions, binding: symbols.length === 1 ? [0] : [] });
      setError(null);
    } catch (refused) {
      set(NO_MOLECULE);
      setError(said(refused));
    }
    setBusy(false);
  };
  return (
    <>
      <form class="row" onSubmit={build}>
        <label class="grow">SMILES<input value={text} maxLength={200} spellcheck={false} autocapitalize="off" placeholder="CCO, [CH2]C=O, …" required onInput={(event) => setText(event.currentTarget.value)} /></label>
        <button disabled={busy || !text.trim()}>{busy ? "Building…" : "Build it"}</button>
      </form>
      <p class="muted small">Hydrogens that it leaves out are added. What lost a hydrogen is written with brackets: <code>[CH3]</code>, <code>C[O]</code>.</p>
      <Failed error={error} />
      {own.symbols.length > 0 && <Binding own={own} set={set} />}
    </>
  );
}

function Binding({ own, set }: { own: OwnMolecule; set: (own: OwnMolecule) => void }) {
  const turn = (atom: number) => {
    const binding = own.binding.includes(atom) ? own.binding.filter((one) => one !== atom) : [...own.binding, atom].sort((one, other) => one - other);
    set({ ...own, binding });
  };
  return (
    <div class="own-molecule">
      <Molecule one={own} numbered />
      <fieldset>
        <legend>Atoms that point at the surface</legend>
        <div class="atoms">
          {own.symbols.map((symbol, atom) => (
            <label key={atom} class="check"><input type="checkbox" checked={own.binding.includes(atom)} onChange={() => turn(atom)} /> {symbol} <small class="muted">{atom}</small></label>
          ))}
        </div>
      </fieldset>
    </div>
  );
}
