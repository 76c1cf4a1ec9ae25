import type { Hosted, Pieces, WorkerLoad, WorkerView } from "../api/schema";
import { ago, bytes, count, duration, rate } from "../words";
import type { Pace } from "./pace";
import { Scroll } from "../parts/Scroll";

const STATES: Record<Hosted["state"], string> = { resident: "loaded", absent: "loads when it is needed", unfit: "can't be loaded" };

interface Props {
  one: WorkerView;
  load: WorkerLoad | undefined;
  pace: Pace;
}

export function Worker({ one, load, pace }: Props) {
  return (
    <section class="card" aria-label={one.name}>
      <div class="head">
        <h2>{one.kind === "cpu" ? "CPU worker" : one.device} <small>{one.host}</small></h2>
        <span class={`chip ${!one.ready ? "failed" : load && !load.idle ? "running" : "succeeded"}`}>{!one.ready ? "not ready" : load && !load.idle ? "at work" : "ready"}</span>
      </div>
      <p class="muted small">{one.kind === "cpu" ? "placements and choices" : "hosts members"} · process {one.pid} · {bytes(one.memory_bytes)} · up for {duration((Date.now() - Date.parse(one.started_at)) / 1000)} · heard of {ago(one.heartbeat_at)}</p>
      {one.ready ? load && <p class="callout">{load.idle ? `Idle: ${load.idle}` : `In hand: ${inWords(load.held)}`}</p> : <p class="callout bad">{one.reason}</p>}
      {one.members.length > 0 && (
        <Scroll label={`Members of ${one.name}`}>
          <table>
            <thead><tr><th scope="col">Member</th><th scope="col">State</th><th scope="col" class="n">Memory</th><th scope="col" class="n">Loaded in</th><th scope="col" class="n">Atoms a batch</th><th scope="col" class="n">Evaluations</th><th scope="col" class="n">Per second</th></tr></thead>
            <tbody>{one.members.map((member) => <Member key={member.member} one={member} perSecond={pace(one.name, member.member)} />)}</tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}

function Member({ one, perSecond }: { one: Hosted; perSecond: number | null }) {
  return (
    <tr>
      <th scope="row">{one.member}</th>
      <td>{STATES[one.state]}{one.reason && <div class="small bad">{one.reason}</div>}</td>
      <td class="n">{bytes(one.memory_bytes)}</td><td class="n">{duration(one.load_s)}</td><td class="n">{one.batch_atoms === null ? <span title="no batch was too large yet">any</span> : count(one.batch_atoms)}</td><td class="n">{count(one.evaluations)}</td><td class="n">{rate(perSecond)}</td>
    </tr>
  );
}

/** 3 walkers, 1 reference. */
export function inWords(work: Pieces): string {
  const kinds: [number, string, string][] = [
    [work.stages, "stage of a job", "stages of jobs"], [work.references, "reference", "references"],
    [work.walkers, "walker", "walkers"], [work.evaluations, "evaluation", "evaluations"],
  ];
  return kinds.filter(([n]) => n > 0).map(([n, one, many]) => `${count(n)} ${n === 1 ? one : many}`).join(", ") || "nothing";
}
