import { useMemo, useState } from "preact/hooks";
import type { Adsorbates, NamedAdsorbate } from "../api/schema";
import { useGet } from "../hooks";
import { Failed } from "../parts/basics";
import { formula } from "../words";
import { Molecule } from "./Molecule";

interface Props {
  chosen: string;
  choose: (name: string) => void;
}

const COMMON = ["*CO", "*O", "*H", "*OH", "*OH2", "*N", "*NH3", "*CHO", "*COOH", "*OOH", "*CH3", "*CH2"];

export function AdsorbatePicker({ chosen, choose }: Props) {
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
        <h2 id="adsorbate-title">Molecule {chosen && <small>{formula(chosen)}</small>}</h2>
        <input type="search" placeholder="CO, CH3, …" aria-label="Only molecules whose name has this" value={about} onInput={(event) => setAbout(event.currentTarget.value)} />
        <button aria-pressed={every} onClick={() => setEvery(!every)}>all {all.length || ""} of OC20</button>
      </div>
      <Failed error={found.error} />
      <div class="molecules" role="group" aria-label="Molecules">
        {shown.map((one: NamedAdsorbate) => (
          <button key={one.name} aria-pressed={one.name === chosen} onClick={() => choose(one.name)} title={one.name}>
            <Molecule one={one} />
            <span>{formula(one.name)}</span>
          </button>
        ))}
      </div>
      {about && shown.length === 0 && <p class="empty">None of OC20's has this in its name. A molecule of your own goes with a file of the slab with the molecule on it.</p>}
    </section>
  );
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}
