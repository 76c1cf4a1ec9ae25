import { Link } from "wouter-preact";
import type { JobView } from "../api/schema";
import { Bar, StateChip } from "../parts/basics";
import { Scroll } from "../parts/Scroll";
import { ago, count, eV, formula, isOpen, moment } from "../words";

interface Props {
  jobs: JobView[];
  chosen: ReadonlySet<string>;
  choose: (change: (before: ReadonlySet<string>) => ReadonlySet<string>) => void;
  showUser: boolean;
}

export function JobsTable({ jobs, chosen, choose, showUser }: Props) {
  const all = jobs.length > 0 && jobs.every((job) => chosen.has(job.id));
  const turn = (id: string) =>
    choose((before) => {
      const next = new Set(before);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  return (
    <Scroll label="Jobs">
      <table class="jobs">
        <thead>
          <tr>
            <th scope="col">
              <input type="checkbox" aria-label="Choose all on this page" checked={all} disabled={!jobs.length}
                onChange={() => choose(() => new Set(all ? [] : jobs.map((job) => job.id)))} />
            </th>
            <th scope="col">Job</th>
            <th scope="col">State</th>
            <th scope="col" class="n">Best <small>eV</small></th>
            <th scope="col">Hops</th>
            <th scope="col" class="n">Force calls</th>
            {showUser && <th scope="col">User</th>}
            <th scope="col" class="n">Made</th>
          </tr>
        </thead>
        <tbody>{jobs.map((job) => <Line key={job.id} job={job} chosen={chosen.has(job.id)} onTurn={() => turn(job.id)} showUser={showUser} />)}</tbody>
      </table>
    </Scroll>
  );
}

function Line({ job, chosen, onTurn, showUser }: { job: JobView; chosen: boolean; onTurn: () => void; showUser: boolean }) {
  const { hops, best } = job.progress;
  const why = job.failure?.reason ?? (isOpen(job) ? job.waiting_for : null);
  return (
    <tr class={chosen ? "chosen" : ""}>
      <td><input type="checkbox" aria-label={`Choose ${job.name}`} checked={chosen} onChange={onTurn} /></td>
      <th scope="row">
        <Link href={`/jobs/${job.id}`}>{job.name}</Link>
        <div class="muted small">{formula(job.adsorbate)} on {job.surface}{job.group && ` · shared with ${job.group}`}</div>
        {why && <div class={`small why ${job.failure ? "bad" : ""}`}>{why}</div>}
      </th>
      <td class="state"><StateChip state={job.state} stage={job.stage} /></td>
      <td class="n" title={best ? `${best.member === "mean" ? `mean of ${best.n_members} members` : best.member}, against ${best.reference}` : ""}>
        {eV(best?.adsorption_energy)}
      </td>
      <td class="hops"><Bar job={job} /><span class="small muted">{count(hops.done)} / {count(hops.most)}</span></td>
      <td class="n later-on">{count(job.progress.force_calls)}</td>
      {showUser && <td class="later-on">{job.user}</td>}
      <td class="n nowrap" title={moment(job.created_at)}>{ago(job.created_at)}</td>
    </tr>
  );
}
