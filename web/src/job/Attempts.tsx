import { useState } from "preact/hooks";
import type { AttemptPage, JobView } from "../api/schema";
import { useGet } from "../hooks";
import { Failed } from "../parts/basics";
import { Scroll } from "../parts/Scroll";
import { moment } from "../words";

/** What went wrong: calculations that failed alike, and attempts that were lost. */
export function Attempts({ job }: { job: JobView }) {
  const [open, setOpen] = useState(false);
  return (
    <section class="card" aria-labelledby="trouble-title">
      <h2 id="trouble-title">Failures and attempts</h2>
      {job.failures.length > 0 ? (
        <Scroll label="Failures">
          <table>
            <thead><tr><th scope="col">Work</th><th scope="col">Kind</th><th scope="col">Reason</th><th scope="col" class="n">Times</th></tr></thead>
            <tbody>
              {job.failures.map((one) => <tr key={one.work + one.kind + one.reason}><td>{one.work}</td><td>{one.kind}</td><td class="across">{one.reason}</td><td class="n">{one.count}</td></tr>)}
            </tbody>
          </table>
        </Scroll>
      ) : (
        <p class="muted">No work of this job has failed.</p>
      )}
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Attempts that did not end well</summary>
        {open && <List job={job} />}
      </details>
    </section>
  );
}

function List({ job }: { job: JobView }) {
  const found = useGet<AttemptPage>(`v1/jobs/${job.id}/attempts`, { limit: 200 });
  if (found.data?.attempts.length === 0) return <p class="muted">None.</p>;
  return (
    <>
      <Failed error={found.error} />
      <Scroll label="Attempts">
        <table>
          <thead><tr><th scope="col">When</th><th scope="col">Work</th><th scope="col" class="n">Attempt</th><th scope="col">Kind</th><th scope="col">Reason</th><th scope="col">Worker</th></tr></thead>
          <tbody>
            {found.data?.attempts.map((one) => (
              <tr key={one.item + one.number + one.at}><td class="nowrap">{moment(one.at)}</td><td>{one.item}</td><td class="n">{one.number}</td><td>{one.kind}</td><td class="across">{one.reason}</td><td class="muted">{one.worker}</td></tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}
