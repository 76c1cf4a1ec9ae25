import type { ComponentChildren } from "preact";
import type { JobView, State } from "../api/schema";
import { count, share } from "../words";

const MARKS: Record<State, string> = { queued: "○", running: "◐", succeeded: "●", failed: "✕", cancelled: "–" };

export function StateChip({ state, stage }: { state: State; stage?: string }) {
  return (
    <span class={`chip ${state}`}>
      <span aria-hidden="true">{MARKS[state]}</span> {state === "running" && stage ? stage : state}
    </span>
  );
}

export function Bar({ job }: { job: JobView }) {
  const { hops } = job.progress;
  const done = Math.round(100 * share(job));
  return (
    <div class="bar" role="progressbar" aria-label={`${job.name}: progress`} aria-valuenow={done} aria-valuemin={0} aria-valuemax={100}
      title={`${count(hops.done)} of at most ${count(hops.most)} hops`}>
      <i ref={(element) => element?.style.setProperty("--done", `${done}%`)} />
    </div>
  );
}

export function Fact({ name, children, wide = false }: { name: string; children: ComponentChildren; wide?: boolean }) {
  return (
    <div class={wide ? "fact wide" : "fact"}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function Warnings({ title, all }: { title: string; all: string[] }) {
  if (!all.length) return null;
  return (
    <details class="callout warn" open={all.length <= 4}>
      <summary>{title} ({all.length})</summary>
      <ul>{all.map((text) => <li key={text}>{text}</li>)}</ul>
    </details>
  );
}

/** What is known to be wrong with the members on this system: never folded away. */
export function Mind({ all }: { all: string[] }) {
  if (!all.length) return null;
  return (
    <div class="callout warn">
      <b>To mind</b>
      <ul>{all.map((text) => <li key={text}>{text}</li>)}</ul>
    </div>
  );
}

export function Failed({ error }: { error: string | null }) {
  return error ? <p class="callout bad" role="alert">{error}</p> : null;
}
