// From a file, an element or a compound to a job; what was understood is shown before anything is queued.
import { useMemo, useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import { send } from "../api/client";
import type { JobRequest, JobView, MeView } from "../api/schema";
import { said } from "../hooks";
import { notify } from "../parts/Notices";
import { AdsorbatePicker } from "./AdsorbatePicker";
import { Parameters } from "./Parameters";
import { Surface } from "./Surface";
import { START, inputOf, type Draft } from "./draft";
import { Cost, Understood, useUnderstood } from "./Understood";

export function NewJobPage({ me }: { me: MeView }) {
  const [draft, set] = useState<Draft>(START);
  const [queueing, setQueueing] = useState(false);
  const [, go] = useLocation();
  const change = (part: Partial<Draft>) => set((before) => ({ ...before, ...part }));
  const request = useMemo(() => requestOf(draft), [draft]);
  const understood = useUnderstood(request.body);
  const queue = async () => {
    if (!request.body) return;
    setQueueing(true);
    try {
      const job = await send<JobView>("POST", "v1/jobs", request.body);
      notify(`${job.name} is queued`);
      go(`/jobs/${job.id}`);
    } catch (error) {
      notify(said(error), "bad");
      setQueueing(false);
    }
  };
  return (
    <>
      <h1>New job</h1>
      <div class="split">
        <div class="wide form">
          <Surface draft={draft} change={change} />
          {!(draft.source === "file" && draft.fileIs === "adslab") && <AdsorbatePicker draft={draft} change={change} />}
          <Parameters draft={draft} change={change} />
          <section class="card" aria-labelledby="naming-title">
            <h2 id="naming-title">Name</h2>
            <div class="fields">
              <label class="wide-field">Name<input value={draft.name} maxLength={200} placeholder="of the molecule and the surface" onInput={(event) => change({ name: event.currentTarget.value })} /></label>
              <label>Priority among your jobs<input type="number" min={-100} max={100} value={draft.priority} onInput={(event) => change({ priority: event.currentTarget.value })} /></label>
              {me.groups.length > 0 && (
                <label>Shared with
                  <select value={draft.group} onChange={(event) => change({ group: event.currentTarget.value })}>
                    <option value="">nobody</option>
                    {me.groups.map((group) => <option key={group}>{group}</option>)}
                  </select>
                </label>
              )}
            </div>
          </section>
        </div>
        <aside class="side fits" aria-label="What was understood">
          <Understood {...understood} missing={request.missing} />
          <div class="to-do">
            {understood.system && <Cost cost={understood.system.cost} />}
            <button class="main large" disabled={!understood.system || understood.busy || queueing} onClick={queue}>{queueing ? "Queueing…" : "Queue this job"}</button>
          </div>
        </aside>
      </div>
    </>
  );
}

function requestOf(draft: Draft): { body: JobRequest | null; missing: string } {
  const { input, missing } = inputOf(draft);
  if (!input) return { body: null, missing };
  const priority = Number(draft.priority) || 0;
  return {
    body: { input, parameters: draft.parameters, priority, ...(draft.name.trim() ? { name: draft.name.trim() } : {}), ...(draft.group ? { group: draft.group } : {}) } as JobRequest,
    missing: "",
  };
}
