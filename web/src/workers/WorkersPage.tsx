import type { Hosted, Models, WorkerView, Workers } from "../api/schema";
import { useEvery, useGet } from "../hooks";
import { Failed } from "../parts/basics";
import { ago, bytes, count, duration } from "../words";

const LOOK_AGAIN_MS = 5000;

export function WorkersPage() {
  const workers = useGet<Workers>("v1/workers");
  const models = useGet<Models>("v1/models");
  useEvery(LOOK_AGAIN_MS, () => void workers.reload());
  const all = workers.data?.workers ?? [];
  return (
    <>
      <h1>Workers</h1>
      <Failed error={workers.error} />
      {workers.data && all.length === 0 && <p class="callout bad">No worker has reported within the last minute: jobs are accepted and wait.</p>}
      <div class="cards">{all.map((one) => <Worker key={one.name} one={one} />)}</div>
      <section class="card" aria-labelledby="models-title">
        <h2 id="models-title">Members of the ensemble</h2>
        <div class="scroll" tabIndex={0} role="region" aria-label="Members">
          <table>
            <thead><tr><th scope="col">Member</th><th scope="col">Family</th><th scope="col">Energies</th><th scope="col">Trained on</th><th scope="col">Licence</th><th scope="col" class="n">Elements</th><th scope="col" class="n">Workers</th><th scope="col">Used by default to</th></tr></thead>
            <tbody>
              {models.data?.models.map((one) => (
                <tr key={one.name}>
                  <th scope="row">{one.name}</th><td>{one.family}</td><td>{one.energy_kind}</td><td>{one.trained_on}</td><td>{one.license}</td>
                  <td class="n" title={one.elements.join(" ")}>{one.elements.length}</td><td class="n">{one.workers}</td>
                  <td>{[one.default_search && "search", one.default_score && "score"].filter(Boolean).join(", ") || "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
    </>
  );
}

function Worker({ one }: { one: WorkerView }) {
  return (
    <section class="card" aria-label={one.name}>
      <div class="head">
        <h2>{one.kind === "cpu" ? "CPU worker" : one.device} <small>{one.host}</small></h2>
        <span class={`chip ${one.ready ? "succeeded" : "failed"}`}>{one.ready ? "ready" : "not ready"}</span>
      </div>
      <p class="muted small">{one.kind === "cpu" ? "placements and choices" : "hosts members"} · process {one.pid} · {bytes(one.memory_bytes)} · up for {duration((Date.now() - Date.parse(one.started_at)) / 1000)} · heard of {ago(one.heartbeat_at)}</p>
      {one.reason && <p class="callout">{one.reason}</p>}
      {one.members.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label={`Members of ${one.name}`}>
          <table>
            <thead><tr><th scope="col">Member</th><th scope="col">State</th><th scope="col" class="n">Memory</th><th scope="col" class="n">Loaded in</th><th scope="col" class="n">Atoms a batch</th><th scope="col" class="n">Evaluations</th></tr></thead>
            <tbody>{one.members.map((member) => <Member key={member.member} one={member} />)}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Member({ one }: { one: Hosted }) {
  return (
    <tr>
      <th scope="row">{one.member}</th>
      <td>{one.state}{one.reason && <div class="small bad">{one.reason}</div>}</td>
      <td class="n">{bytes(one.memory_bytes)}</td><td class="n">{duration(one.load_s)}</td><td class="n">{count(one.batch_atoms)}</td><td class="n">{count(one.evaluations)}</td>
    </tr>
  );
}
