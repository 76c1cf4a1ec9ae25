// Hand an energy by DFT back: as an adsorption energy, or as the total energies that it comes from.
import { useState } from "preact/hooks";
import { send } from "../api/client";
import type { CandidateView, ReferenceEnergyRequest } from "../api/schema";
import { said } from "../hooks";
import { Failed } from "../parts/basics";
import { notify } from "../parts/Notices";

const GAS = ["CO", "H2O", "H2", "N2"] as const;

export function FeedBack({ candidate, onDone }: { candidate: CandidateView; onDone: () => Promise<void> }) {
  const [totals, setTotals] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const read = (name: string) => String(new FormData(form).get(name) ?? "").trim();
    const number = (name: string) => Number(read(name).replace("−", "-"));
    const energies = totals
      ? { totals: { adslab: number("adslab"), slab: number("slab"), gas: Object.fromEntries(GAS.filter((gas) => read(gas)).map((gas) => [gas, number(gas)])) } }
      : { adsorption_energy: number("adsorption") };
    const body = { functional: read("functional"), code: read("code"), provenance: read("provenance"), ...energies } as ReferenceEnergyRequest;
    try {
      await send("POST", `v1/candidates/${candidate.id}/reference-energies`, body);
      form.reset();
      setError(null);
      notify(`stored for candidate ${candidate.id}`);
      await onDone();
    } catch (refused) {
      setError(said(refused));
    }
  };
  return (
    <details class="feed-back">
      <summary>Hand a DFT energy back</summary>
      <form onSubmit={submit}>
        <div class="tabs" role="group" aria-label="What you have">
          <button type="button" aria-pressed={!totals} onClick={() => setTotals(false)}>adsorption energy</button>
          <button type="button" aria-pressed={totals} onClick={() => setTotals(true)}>total energies</button>
        </div>
        <div class="fields">
          {totals ? (
            <>
              <Energy name="adslab" label="Adslab, eV" required />
              <Energy name="slab" label="Clean slab, eV" required />
              {GAS.map((gas) => <Energy key={gas} name={gas} label={`${gas} in gas, eV`} />)}
            </>
          ) : (
            <Energy name="adsorption" label="Adsorption energy, eV" required />
          )}
          <label>Functional<input name="functional" defaultValue="RPBE" required maxLength={60} /></label>
          <label>Code<input name="code" placeholder="VASP 6.4.3" required maxLength={60} /></label>
          <label>Where it comes from<input name="provenance" placeholder="folder, author, paper" maxLength={1000} /></label>
        </div>
        <Failed error={error} />
        <button class="main">Store</button>
      </form>
    </details>
  );
}

function Energy({ name, label, required = false }: { name: string; label: string; required?: boolean }) {
  return <label>{label}<input name={name} inputMode="decimal" pattern="[−+\-]?[0-9]*\.?[0-9]+([eE][+\-]?[0-9]+)?" title="a number, such as -1.234" required={required} /></label>;
}
