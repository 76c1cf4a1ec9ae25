// Learn a limit of the spread from the labels of these members.
import { useState } from "preact/hooks";
import { send } from "../api/client";
import type { CalibrationView, Labels, Spread } from "../api/schema";
import { said } from "../hooks";
import { SPREADS } from "../job/spreads";
import { Failed } from "../parts/basics";
import { notify } from "../parts/Notices";
import { eV } from "../words";
import { Errors } from "./Errors";
import type { Asked } from "./LearnPage";

interface Props {
  asked: Asked;
  labels: Labels | null;
  onLearned: () => Promise<void>;
}

export function Learn({ asked, labels, onLearned }: Props) {
  const [spread, setSpread] = useState<Spread>("std");
  const [share, setShare] = useState("90");
  const [error, setError] = useState("0.1");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);
  const n = labels?.n ?? 0;
  const right = Number(error);
  const learn = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      const made = await send<CalibrationView>("POST", "v1/calibrations", { ...asked, spread, target_share: Number(share) / 100, target_error: right });
      notify(made.limit === null ? `calibration ${made.number}: no limit keeps the promise` : `calibration ${made.number}: ${eV(made.limit)} eV, your proposal`);
      setRefused(null);
    } catch (failed) {
      setRefused(said(failed));
    }
    setBusy(false);
    await onLearned();
  };
  return (
    <section class="card" aria-labelledby="learn-title">
      <h2 id="learn-title">Learn a limit <small>the widest one that keeps a promise</small></h2>
      <form class="fields" onSubmit={learn}>
        <label>Of the spread
          <select value={spread} onChange={(event) => setSpread(event.currentTarget.value as Spread)}>{Object.entries(SPREADS).map(([name, { label }]) => <option key={name} value={name}>{label}</option>)}</select>
        </label>
        <label>Of what is kept, %<input type="number" min={51} max={99} value={share} onInput={(event) => setShare(event.currentTarget.value)} /></label>
        <label>are right within, eV<input type="number" min={0.01} max={2} step={0.01} value={error} onInput={(event) => setError(event.currentTarget.value)} /></label>
        <button disabled={busy || n === 0}>{busy ? "Learning…" : "Learn it"}</button>
      </form>
      <p class="muted small">From {n === 1 ? "the one candidate" : `all ${n} candidates`} above. It is your own proposal until an administrator publishes it; a job that asks for a calibrated limit gets the published one.</p>
      <Failed error={refused} />
      {labels && labels.points.length > 0 && right > 0 && <Errors points={labels.points} functional={labels.functional} right={right} />}
    </section>
  );
}
