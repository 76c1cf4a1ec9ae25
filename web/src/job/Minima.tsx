import { useMemo, useState } from "preact/hooks";
import type { CandidateLine, JobView, OutcomeView, Preview } from "../api/schema";
import { eV } from "../words";
import { memberColor, membersOf } from "./colors";

interface Props {
  job: JobView;
  preview: Preview;
  candidates: CandidateLine[];
  /** Candidates in the side view, at most two. */
  shown: number[];
  show: (shown: number[]) => void;
}

const STEP = 100;
const LAST = Number.MAX_SAFE_INTEGER;

export function Minima({ job, preview, candidates, shown, show }: Props) {
  const [all, setAll] = useState(false);
  const [most, setMost] = useState(STEP);
  const [about, setAbout] = useState("");
  const by = useMemo(() => new Map(candidates.map((one) => [one.id, one])), [candidates]);
  const sorted = useMemo(() => [...preview.outcomes].sort(inOrder), [preview]);
  const wanted = sorted.filter((one) => all || one.rank !== null);
  const fitting = about ? wanted.filter((one) => matches(one, by.get(one.candidate), about)) : wanted;
  const members = membersOf(job);
  return (
    <section class="card" aria-labelledby="minima-title">
      <div class="head">
        <h2 id="minima-title">Minima <small>{preview.reference ? `eV per adslab, against ${preview.reference}` : "eV per adslab"}</small></h2>
        <div class="tabs push" role="group" aria-label="Which candidates">
          <button aria-pressed={!all} onClick={() => setAll(false)}>chosen</button>
          <button aria-pressed={all} onClick={() => setAll(true)}>all {candidates.length}: why not?</button>
        </div>
        {all && <input type="search" placeholder="site, verdict, #id" aria-label="Only candidates whose line has this" value={about} onInput={(event) => setAbout(event.currentTarget.value)} />}
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label="Table of minima">
        <table class="minima">
          <thead>
            <tr>
              <th scope="col">Rank</th><th scope="col">Look</th><th scope="col">Site</th><th scope="col" class="n">Mean</th>
              <th scope="col" class="n" title="sample standard deviation over the members">Spread</th>
              <th scope="col" class="n" title="spread without what each member says of all candidates alike">Relative</th>
              {members.map((member) => <th key={member} scope="col" class="n" style={{ color: memberColor(members, member) }}>{member}</th>)}
              <th scope="col">Verdict</th>
            </tr>
          </thead>
          <tbody>
            {fitting.slice(0, most).map((one) => (
              <Line key={one.candidate} outcome={one} candidate={by.get(one.candidate)} members={members} shown={shown} show={show} />
            ))}
          </tbody>
        </table>
      </div>
      {fitting.length > most && <p><button onClick={() => setMost(most + STEP)}>Show {Math.min(STEP, fitting.length - most)} more of {fitting.length}</button></p>}
      {fitting.length === 0 && <p class="empty">None.</p>}
    </section>
  );
}

interface LineProps {
  outcome: OutcomeView;
  candidate: CandidateLine | undefined;
  members: string[];
  shown: number[];
  show: (shown: number[]) => void;
}

function Line({ outcome, candidate, members, shown, show }: LineProps) {
  const id = outcome.candidate;
  const at = shown.indexOf(id);
  const other = shown.filter((one) => one !== id);
  return (
    <tr class={at >= 0 ? "chosen" : ""}>
      <th scope="row" class="nowrap">{outcome.rank ?? "–"} <small class="muted">#{id}</small></th>
      <td class="nowrap">
        <button aria-pressed={at >= 0} aria-label={`Show candidate ${id}`} onClick={() => show([id])}>show</button>
        {shown.length > 0 && at < 0 && <button aria-label={`Compare candidate ${id} with ${other[0]}`} onClick={() => show([shown[0]!, id])}>compare</button>}
      </td>
      <td class="site">{candidate?.site}{candidate?.anomalies.map((name) => <span key={name} class="tag bad">{name}</span>)}{(candidate?.n_labels ?? 0) > 0 && <span class="tag">DFT</span>}</td>
      <td class="n"><b>{eV(outcome.mean)}</b></td>
      <td class="n">{eV(outcome.std)}</td>
      <td class="n">{eV(outcome.relative)}</td>
      {members.map((member) => <td key={member} class="n">{eV(candidate?.energies[member])}</td>)}
      <td class="verdict">{outcome.verdict}</td>
    </tr>
  );
}

function inOrder(one: OutcomeView, other: OutcomeView): number {
  return (one.rank ?? LAST) - (other.rank ?? LAST) || (one.mean ?? LAST) - (other.mean ?? LAST) || one.candidate - other.candidate;
}

function matches(outcome: OutcomeView, candidate: CandidateLine | undefined, about: string): boolean {
  const text = `#${outcome.candidate} ${candidate?.site ?? ""} ${outcome.verdict} ${candidate?.anomalies.join(" ") ?? ""}`;
  return text.toLowerCase().includes(about.toLowerCase());
}
