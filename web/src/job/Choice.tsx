// The rules of the choice, to be moved: what they choose is shown at once.
import { useState } from "preact/hooks";
import { send } from "../api/client";
import type { CandidateLine, JobView, MeView, Preview, SelectionAnswer } from "../api/schema";
import { said } from "../hooks";
import { Failed } from "../parts/basics";
import { notify } from "../parts/Notices";
import { eV } from "../words";
import type { Asked } from "./preview";
import { SPREADS, type SpreadName } from "./spreads";

interface Props {
  job: JobView;
  me: MeView;
  preview: Preview;
  asked: Asked;
  ask: (asked: Asked) => void;
  error: string | null;
  candidates: CandidateLine[];
  onKept: (number: number) => void;
}

const MOST = 1;

export function Choice({ job, me, preview, asked, ask, error, candidates, onKept }: Props) {
  const [keeping, setKeeping] = useState(false);
  const own = Object.keys(asked).length === 0;
  const limit = typeof asked.limit === "number" ? asked.limit : preview.limit;
  const spread = preview.rules.spread as SpreadName;
  const chosen = preview.outcomes.filter((one) => one.rank !== null).length;
  const keep = async () => {
    setKeeping(true);
    try {
      const made = await send<SelectionAnswer>("POST", `v1/jobs/${job.id}/selections`, asked);
      notify(`kept as selection ${made.number}`);
      onKept(made.number);
    } catch (refused) {
      notify(said(refused), "bad");
    }
    setKeeping(false);
  };
  return (
    <section class="card" aria-labelledby="choice-title">
      <h2 id="choice-title">Choice <small>trust what the members agree on, take the lowest</small></h2>
      <div class="choice">
        <label class="slider">
          <span>Limit of the spread: <output>{limit === null ? "none" : `${eV(limit)} eV`}</output></span>
          <input type="range" min={0.005} max={MOST} step={0.005} value={limit ?? MOST} aria-valuetext={`${eV(limit)} eV`}
            onInput={(event) => ask({ ...asked, limit: Number(event.currentTarget.value) })} />
        </label>
        <label>Spread
          <select value={spread} aria-describedby="spread-asks" onChange={(event) => ask({ ...asked, spread: event.currentTarget.value as SpreadName, limit: limit ?? MOST })}>
            {Object.entries(SPREADS).map(([name, { label, asks }]) => <option key={name} value={name} title={asks}>{label}</option>)}
          </select>
        </label>
        <label>At most
          <input type="number" min={1} max={100} value={String(preview.rules.count)} onChange={(event) => ask({ ...asked, count: Number(event.currentTarget.value) || 1 })} />
        </label>
        <label>Window, eV
          <input type="number" min={0.01} max={20} step={0.05} placeholder="none" value={preview.rules.window === null ? "" : String(preview.rules.window)}
            onChange={(event) => ask({ ...asked, window: Number(event.currentTarget.value) || null })} />
        </label>
      </div>
      <p id="spread-asks" class="small muted"><b>{SPREADS[spread].label}</b>: {SPREADS[spread].asks}.</p>
      <p class="row">
        <span role="status">
          {preview.n_passing} of {candidates.length} pass, {chosen} {chosen === 1 ? "is" : "are"} chosen
          {preview.low_confidence && <b class="bad"> · low confidence: nothing passes, the lowest is shown all the same</b>}
        </span>
        <span class="row push">
          {!own && <button onClick={() => ask({})}>Back to the job's own rules</button>}
          {!own && me.role !== "read" && <button class="main" disabled={keeping} onClick={keep}>Keep as a selection</button>}
        </span>
      </p>
      <Failed error={error} />
    </section>
  );
}
