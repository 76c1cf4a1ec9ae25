import { useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import { send } from "../api/client";
import type { JobView, MeView } from "../api/schema";
import { said } from "../hooks";
import { Ask } from "../parts/Ask";
import { Bar, Fact, StateChip } from "../parts/basics";
import { notify } from "../parts/Notices";
import { bytes, count, duration, eV, formula, isOpen, moment } from "../words";

interface Props {
  job: JobView;
  me: MeView;
  onChange: (job: JobView) => void;
}

export function JobHead({ job, me, onChange }: Props) {
  const mine = me.role !== "read" && (job.user === me.name || me.role === "admin");
  return (
    <header class="job-head">
      <div class="head">
        <h1>{job.name}</h1>
        <StateChip state={job.state} stage={job.stage} />
        {mine && <Actions job={job} me={me} onChange={onChange} />}
      </div>
      <p class="muted">
        {formula(job.adsorbate)} on {job.surface} · {job.user}
        {job.group && ` · shared with ${job.group}`} · {moment(job.created_at)}
        {job.started_at && ` · ${job.ended_at ? "took" : "runs for"} ${duration((Date.parse(job.ended_at ?? new Date().toISOString()) - Date.parse(job.started_at)) / 1000)}`}
      </p>
      {job.failure && <p class="callout bad"><b>{job.failure.kind}</b>: {job.failure.reason}</p>}
      {isOpen(job) && job.waiting_for && <p class="callout">Waiting: {job.waiting_for}</p>}
      <Facts job={job} />
    </header>
  );
}

function Facts({ job }: { job: JobView }) {
  const { placements, references, walkers, hops, candidates, evaluations, force_calls, best } = job.progress;
  return (
    <>
      <Bar job={job} />
      <dl class="facts line">
        <Fact name="Placements">{count(placements)}</Fact>
        <Fact name="References">{references.done} / {references.total}</Fact>
        <Fact name="Walkers">{walkers.succeeded + walkers.failed} / {walkers.total} {walkers.running > 0 && <small>{walkers.running} running</small>}</Fact>
        <Fact name="Hops">{count(hops.done)} / {count(hops.most)}</Fact>
        <Fact name="Minima found">{count(candidates.total)} <small>{count(candidates.distinct)} distinct</small></Fact>
        <Fact name="Evaluations">{count(evaluations.done)} / {count(evaluations.total)} {evaluations.failed > 0 && <small>{evaluations.failed} failed</small>}</Fact>
        <Fact name="Force calls">{count(force_calls)} {job.estimated_force_calls && <small>of some {count(job.estimated_force_calls)}</small>}</Fact>
        <Fact name="Stored">{bytes(job.stored_bytes)}</Fact>
        <Fact name="Best so far">
          <b>{eV(best?.adsorption_energy, 3, true)}</b>{" "}
          {best && <small>{best.member === "mean" ? `mean of ${best.n_members}` : best.member}</small>}
        </Fact>
      </dl>
    </>
  );
}

function Actions({ job, me, onChange }: Props) {
  const [, go] = useLocation();
  const [asking, ask] = useState<"cancel" | "delete" | null>(null);
  const act = async (what: Promise<JobView>, done: string) => {
    try {
      onChange(await what);
      notify(done);
    } catch (error) {
      notify(said(error), "bad");
    }
  };
  const remove = () =>
    send("DELETE", `v1/jobs/${job.id}/data`).then(
      () => {
        notify(`${job.name} is deleted`);
        go("/");
      },
      (error) => notify(said(error), "bad"),
    );
  return (
    <div class="row push">
      {me.groups.length > 0 && (
        <label class="inline">
          Shared with
          <select value={job.group ?? ""} onChange={(event) => {
            const group = event.currentTarget.value || null;
            void act(send("PATCH", `v1/jobs/${job.id}`, { group }), group ? `shared with ${group}` : "shared with nobody");
          }}>
            <option value="">nobody</option>
            {[...new Set([...me.groups, ...(job.group ? [job.group] : [])])].map((group) => <option key={group}>{group}</option>)}
          </select>
        </label>
      )}
      {isOpen(job) ? <button onClick={() => ask("cancel")}>Cancel</button> : <button onClick={() => ask("delete")}>Delete</button>}
      {asking === "cancel" && (
        <Ask title="Cancel this job?" act="Cancel it" danger onClose={() => ask(null)} onAct={() => void act(send("DELETE", `v1/jobs/${job.id}`), "cancelled")}>
          <p>Workers drop what they hold of it. What it found so far stays readable.</p>
        </Ask>
      )}
      {asking === "delete" && (
        <Ask title="Delete this job?" act="Delete for good" danger onClose={() => ask(null)} onAct={remove}>
          <p>All that it found goes, for everybody. There is no way back.</p>
        </Ask>
      )}
    </div>
  );
}
