import { useMemo, useState } from "preact/hooks";
import { Link, useLocation } from "wouter-preact";
import { send } from "../api/client";
import { useLive } from "../api/live";
import type { CancelledJobs, JobPage, JobView, MeView, State } from "../api/schema";
import { said, useGet } from "../hooks";
import { Ask } from "../parts/Ask";
import { Failed } from "../parts/basics";
import { notify } from "../parts/Notices";
import { isOpen } from "../words";
import { JobsTable } from "./JobsTable";

const STATES: (State | "")[] = ["", "queued", "running", "succeeded", "failed", "cancelled"];

export function JobsPage({ me }: { me: MeView }) {
  const [state, setState] = useState<State | "">("");
  const [shared, setShared] = useState(false);
  const [before, setBefore] = useState<string[]>([]);
  const cursor = before.at(-1) ?? null;
  const found = useGet<JobPage>("v1/jobs", { state, shared, limit: 50, cursor });
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const [newest, setNewest] = useState<string | null>(null);
  const jobs = found.data?.jobs ?? [];
  const ids = useMemo(() => jobs.map((job) => job.id), [jobs.map((job) => job.id).join()]);
  useLive(
    ids,
    (job) => found.set((page) => page && { ...page, jobs: page.jobs.map((one) => (one.id === job.id ? job : one)) }),
    (at) => {
      if (newest !== null && at !== newest && cursor === null) void found.reload();
      setNewest(at ?? "");
    },
  );
  const filter = (change: () => void) => {
    change();
    setBefore([]);
    choose(new Set());
  };
  return (
    <>
      <div class="head">
        <h1>Jobs</h1>
        <div class="tabs" role="group" aria-label="Only jobs in this state">
          {STATES.map((one) => (
            <button key={one} aria-pressed={state === one} onClick={() => filter(() => setState(one))}>{one || "all"}</button>
          ))}
        </div>
        <label class="check">
          <input type="checkbox" checked={shared} onChange={(event) => filter(() => setShared(event.currentTarget.checked))} />
          shared with my groups
        </label>
        {me.role !== "read" && <Link href="/new" class="button main push">New job</Link>}
      </div>
      <Failed error={found.error} />
      {found.data && jobs.length === 0 ? (
        <Nothing state={state} shared={shared} />
      ) : (
        <>
          <Bulk jobs={jobs.filter((job) => chosen.has(job.id))} onDone={found.reload}
            release={(ids) => choose((before) => new Set([...before].filter((id) => !ids.includes(id))))} />
          <JobsTable jobs={jobs} chosen={chosen} choose={choose} showUser={me.role === "admin" || shared} />
          <div class="row end pager">
            <button disabled={before.length === 0} onClick={() => setBefore(before.slice(0, -1))}>Newer</button>
            <button disabled={!found.data?.next} onClick={() => setBefore([...before, found.data!.next!])}>Older</button>
          </div>
        </>
      )}
    </>
  );
}

function Nothing({ state, shared }: { state: string; shared: boolean }) {
  const [, go] = useLocation();
  if (state || shared) return <p class="empty">No job {state && `is ${state}`}{shared && " is shared with your groups"} here.</p>;
  return (
    <div class="empty">
      <p>No jobs yet. A job takes a surface and a molecule, and finds where and how strongly it binds.</p>
      <button class="main" onClick={() => go("/new")}>Start with a POSCAR, a CIF or an element</button>
    </div>
  );
}

interface BulkProps {
  jobs: JobView[];
  onDone: () => Promise<void>;
  /** Choose these no more. What was chosen meanwhile, or wasn't acted on, stays chosen. */
  release: (ids: string[]) => void;
}

function Bulk({ jobs, onDone, release }: BulkProps) {
  const [asking, ask] = useState<"cancel" | "delete" | null>(null);
  const open = jobs.filter(isOpen);
  const ended = jobs.filter((job) => !isOpen(job));
  const cancel = async () => {
    try {
      const ids = open.map((job) => job.id);
      const done = await send<CancelledJobs>("POST", "v1/jobs:cancel", { jobs: ids });
      release(ids);
      notify(`${done.cancelled.length} cancelled`);
    } catch (error) {
      notify(said(error), "bad");
    }
    await onDone();
  };
  const remove = async () => {
    let done = 0;
    try {
      for (const job of ended) {
        await send("DELETE", `v1/jobs/${job.id}/data`);
        release([job.id]);
        done += 1;
      }
      notify(`${done} deleted`);
    } catch (error) {
      notify(`${done} deleted; then: ${said(error)}`, "bad");
    }
    await onDone();
  };
  if (!jobs.length) return null;
  return (
    <div class="bulk" role="group" aria-label="Chosen jobs">
      <span>{jobs.length} chosen</span>
      <button disabled={!open.length} onClick={() => ask("cancel")}>Cancel {open.length} open</button>
      <button disabled={!ended.length} onClick={() => ask("delete")}>Delete {ended.length} ended</button>
      {asking === "cancel" && (
        <Ask title={`Cancel ${open.length} jobs?`} act="Cancel them" danger onAct={cancel} onClose={() => ask(null)}>
          <p>Workers drop what they hold of them. What they found so far stays readable.</p>
        </Ask>
      )}
      {asking === "delete" && (
        <Ask title={`Delete ${ended.length} jobs?`} act="Delete for good" danger onAct={remove} onClose={() => ask(null)}>
          <p>All that they found goes, for everybody. There is no way back.</p>
        </Ask>
      )}
    </div>
  );
}
