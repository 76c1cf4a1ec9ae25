import { address, getText } from "../api/client";
import type { CandidateLine, JobView, Preview, SelectionList, SelectionView } from "../api/schema";
import { said, useChanged, useGet } from "../hooks";
import { notify } from "../parts/Notices";
import { eV } from "../words";
import { membersOf } from "./colors";
import { spreadsheet } from "./spreadsheet";
import { SPREADS, type SpreadName } from "./spreads";

interface Props {
  job: JobView;
  candidates: CandidateLine[];
  preview: Preview | null;
  /** Whose minima are downloaded: 0 is the job's own choice. */
  selection: number;
  choose: (selection: number) => void;
  /** The table shows what other rules would choose, and nobody kept them. */
  moved: boolean;
}

export function Downloads({ job, candidates, preview, selection, choose, moved }: Props) {
  const of = (path: string, query: Record<string, string | number> = {}) => address(`v1/jobs/${job.id}/${path}`, query);
  const all = async () => {
    try {
      let text = "";
      for (let url: string | null = of("candidates", { format: "extxyz", limit: "200" }); url; ) {
        const page: { text: string; next: string | null } = await getText(url);
        text += page.text;
        url = page.next && address(`v1/jobs/${job.id}/candidates${new URL(page.next, url).search}`);
      }
      save(text, `${job.file_stem}-candidates.extxyz`, "chemical/x-xyz");
    } catch (error) {
      notify(said(error), "bad");
    }
  };
  const chosen = job.state === "succeeded";
  const kept = useGet<SelectionList>(chosen ? `v1/jobs/${job.id}/selections` : null);
  useChanged(selection, () => void kept.reload());
  const selections = kept.data?.selections ?? [];
  return (
    <section class="card" aria-labelledby="downloads-title">
      <div class="head">
        <h2 id="downloads-title">Downloads</h2>
        {selections.length > 1 && (
          <label class="inline push">Minima of
            <select value={selection} onChange={(event) => choose(Number(event.currentTarget.value))}>
              {selections.map((one) => <option key={one.number} value={one.number}>{named(one)}</option>)}
            </select>
          </label>
        )}
      </div>
      <div class="downloads">
        {chosen && <a class="button" href={of("minima", { format: "extxyz", selection })} download>Minima, extended XYZ</a>}
        <button onClick={all}>All candidates, extended XYZ</button>
        <button onClick={() => save(spreadsheet(candidates, preview, membersOf(job)), `${job.file_stem}-candidates.csv`, "text/csv")}>All candidates, CSV</button>
        {chosen && (
          <>
            <a class="button main" href={of("dft-inputs", { code: "vasp", selection })} download>DFT inputs, VASP</a>
            <a class="button" href={of("dft-inputs", { code: "espresso", selection })} download>DFT inputs, Quantum ESPRESSO</a>
            <a class="button" href={of("dft-inputs", { code: "structures", selection })} download>Structures for DFT alone</a>
          </>
        )}
      </div>
      {chosen && moved && selection === 0 && <p class="callout warn">Minima and DFT inputs are those that the job chose itself, not what your rules show above: keep them as a selection to download theirs.</p>}
      {chosen && <p class="muted small">DFT inputs are of the minima {selection === 0 ? "that the job chose itself (keep a choice of yours as a selection to have its own)" : `of selection ${selection}`}, with the clean slab and the gas molecules, at OC20's settings; no pseudopotentials.</p>}
    </section>
  );
}

function named(one: SelectionView): string {
  const rules = one.limit === null ? "no limit" : `${SPREADS[one.rules.spread as SpreadName].label} within ${eV(one.limit)} eV`;
  return one.number === 0 ? `the job's own choice: ${rules}` : `selection ${one.number}: ${rules}`;
}

function save(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10000);
}
