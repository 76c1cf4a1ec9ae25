import { address, getText } from "../api/client";
import type { CandidateLine, JobView, Preview } from "../api/schema";
import { said } from "../hooks";
import { notify } from "../parts/Notices";
import { membersOf } from "./colors";
import { spreadsheet } from "./spreadsheet";

interface Props {
  job: JobView;
  candidates: CandidateLine[];
  preview: Preview | null;
}

export function Downloads({ job, candidates, preview }: Props) {
  const of = (path: string, query: Record<string, string> = {}) => address(`v1/jobs/${job.id}/${path}`, query);
  const all = async () => {
    try {
      let text = "";
      for (let url: string | null = of("candidates", { format: "extxyz", limit: "200" }); url; ) {
        const page: { text: string; next: string | null } = await getText(url);
        text += page.text;
        url = page.next && address(`v1/jobs/${job.id}/candidates${new URL(page.next, url).search}`);
      }
      save(text, `${job.id}-candidates.extxyz`, "chemical/x-xyz");
    } catch (error) {
      notify(said(error), "bad");
    }
  };
  const chosen = job.state === "succeeded";
  return (
    <section class="card" aria-labelledby="downloads-title">
      <h2 id="downloads-title">Downloads</h2>
      <div class="downloads">
        {chosen && <a class="button" href={of("minima", { format: "extxyz" })} download>Minima, extended XYZ</a>}
        <button onClick={all}>All candidates, extended XYZ</button>
        <button onClick={() => save(spreadsheet(candidates, preview, membersOf(job)), `${job.id}.csv`, "text/csv")}>All candidates, CSV</button>
        {chosen && (
          <>
            <a class="button main" href={of("dft-inputs", { code: "vasp" })} download>DFT inputs, VASP</a>
            <a class="button" href={of("dft-inputs", { code: "espresso" })} download>DFT inputs, Quantum ESPRESSO</a>
            <a class="button" href={of("dft-inputs", { code: "structures" })} download>Structures for DFT alone</a>
          </>
        )}
      </div>
      {chosen && <p class="muted small">DFT inputs are of the minima that the job chose itself, with the clean slab and the gas molecules, at OC20's settings; no pseudopotentials.</p>}
    </section>
  );
}

function save(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10000);
}
