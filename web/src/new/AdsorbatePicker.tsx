import { useMemo, useState } from "preact/hooks";
import type { Adsorbates, NamedAdsorbate } from "../api/schema";
import { useGet } from "../hooks";
import { Failed } from "../parts/basics";
import { formula } from "../words";
import { NO_MOLECULE, type Draft } from "./draft";
import { Molecule } from "./Molecule";
import { Smiles } from "./Smiles";

interface Props {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
}

const COMMON = ["*CO", "*O", "*H", "*OH", "*OH2", "*N", "*NH3", "*CHO", "*COOH", "*OOH", "*CH3", "*CH2"];

export function AdsorbatePicker({ draft, change }: Props) {
  const chosen = draft.own ? "" : draft.adsorbate;
  const bySmiles = draft.own !== null;
  const found = useGet<Adsorbates>("v1/adsorbates");
  const [about, setAbout] = useState("");
  const [every, setEvery] = useState(false);
  const all = found.data?.adsorbates ?? [];
  const shown = useMemo(() => {
    if (about) return all.filter((one) => plain(one.name).includes(plain(about)));
    if (every) return all;
    const common = COMMON.flatMap((name) => all.find((one) => one.name === name) ?? []);
    const own = all.find((one) => one.name === chosen && !COMMON.includes(chosen));
    return own ? [...common, own] : common;
  }, [all, about, every, chosen]);
  return (
    <section class="card" aria-labelledby="adsorbate-title">
      <div class="head">
        <h2 id="adsorbate-title">Molecule <small>{draft.own ? draft.own.smiles : formula(chosen)}</small></h2>
        <div class="tabs" role="group" aria-label="Where the molecule comes from">
          <button aria-pressed={!bySmiles} onClick={() => change({ own: null })}>OC20's</button>
          <button aria-pressed={bySmiles} onClick={() => change({ own: draft.own ?? NO_MOLECULE })}>SMILES</button>
        </div>
        {!bySmiles && (
          <>
            <input type="search" placeholder="CO, CH3, …" aria-label="Only molecules whose name has this" value={about} onInput={(event) => setAbout(event.currentTarget.value)} />
            <button aria-pressed={every} onClick={() => setEvery(!every)}>all {all.length || ""}</button>
          </>
        )}
      </div>
      <Failed error={found.error} />
      {draft.own ? <Smiles there={found.data?.smiles ?? true} own={draft.own} set={(own) => change({ own })} /> : <Named shown={shown} chosen={chosen} choose={(adsorbate) => change({ adsorbate })} />}
      {!bySmiles && about && shown.length === 0 && <p class="empty">None of OC20's has this in its name. A molecule of your own goes by its SMILES, or with a file of the slab with the molecule on it.</p>}
    </section>
  );
}

function Named({ shown, chosen, choose }: { shown: NamedAdsorbate[]; chosen: string; choose: (name: string) => void }) {
  return (
    <div class="molecules" role="group" aria-label="Molecules">
      {shown.map((one) => (
        <button key={one.name} aria-pressed={one.name === chosen} onClick={() => choose(one.name)} title={one.name}>
          <Molecule one={one} />
          <span>{formula(one.name)}</span>
        </button>
      ))}
    </div>
  );
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}
