import { useMemo, useState } from "preact/hooks";
import type { CandidateLine, JobView, OutcomeView, Preview } from "../api/schema";
import { eV } from "../words";
import { memberColor, membersOf } from "./colors";
import { Meaning } from "./Meaning";
import { SPREADS, shownSpreads, type SpreadName } from "./spreads";

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
  const spreads = shownSpreads(preview);
  return (
    <section class="card" aria-labelledby="minima-title">
      <div class="head">
        <h2 id="minima-title">Minima <small>eV per adslab</small></h2>
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
              <th scope="col">Rank</th><th scope="col">Site</th><th scope="col" class="n">Mean</th>
              {spreads.map((name) => <th key={name} scope="col" class="n" title={SPREADS[name].asks}>{SPREADS[name].heading}</th>)}
              {members.map((member) => <th key={member} scope="col" class="n" style={{ color: memberColor(members, member) }}>{member}</th>)}
            </tr>
          </thead>
          {fitting.slice(0, most).map((one) => (
            <Minimum key={one.candidate} outcome={one} candidate={by.get(one.candidate)} members={members} spreads={spreads} shown={shown} show={show} />
          ))}
        </table>
      </div>
      {fitting.length > most && <p><button onClick={() => setMost(most + STEP)}>Show {Math.min(STEP, fitting.length - most)} more of {fitting.length}</button></p>}
      {fitting.length === 0 && <p class="empty">None.</p>}
      <Meaning preview={preview} />
    </section>
  );
}

interface MinimumProps {
  outcome: OutcomeView;
  candidate: CandidateLine | undefined;
  members: string[];
  spreads: SpreadName[];
  shown: number[];
  show: (shown: number[]) => void;
}

/** Its numbers, and below them, across the table, the verdict: a sentence has no room in a column. */
function Minimum({ outcome, candidate, members, spreads, shown, show }: MinimumProps) {
  const id = outcome.candidate;
  const at = shown.indexOf(id);
  const other = shown.filter((one) => one !== id);
  return (
    <tbody class={at >= 0 ? "chosen" : ""}>
      <tr>
        <th scope="rowgroup" class="nowrap">{outcome.rank ?? "–"} <small class="muted">#{id}</small></th>
        <td class="site">{candidate?.site}{candidate?.anomalies.map((name) => <span key={name} class="tag bad">{name}</span>)}{(candidate?.n_labels ?? 0) > 0 && <span class="tag">DFT</span>}</td>
        <td class="n"><b>{eV(outcome.mean)}</b></td>
        {spreads.map((name) => <td key={name} class="n">{eV(outcome[name])}</td>)}
        {members.map((member) => <td key={member} class="n">{eV(candidate?.energies[member])}</td>)}
      </tr>
      <tr>
        <td colSpan={3 + spreads.length + members.length} class="said">
          <div>
            <span class="verdict">{outcome.verdict}</span>
            <span class="nowrap">
              <button aria-pressed={at >= 0} aria-label={`Show candidate ${id}`} onClick={() => show([id])}>show</button>
              {shown.length > 0 && at < 0 && <button aria-label={`Compare candidate ${id} with ${other[0]}`} onClick={() => show([shown[0]!, id])}>compare</button>}
            </span>
          </div>
        </td>
      </tr>
    </tbody>
  );
}

function inOrder(one: OutcomeView, other: OutcomeView): number {
  return (one.rank ?? LAST) - (other.rank ?? LAST) || (one.mean ?? LAST) - (other.mean ?? LAST) || one.candidate - other.candidate;
}

function matches(outcome: OutcomeView, candidate: CandidateLine | undefined, about: string): boolean {
  const text = `#${outcome.candidate} ${candidate?.site ?? ""} ${outcome.verdict} ${candidate?.anomalies.join(" ") ?? ""}`;
  return text.toLowerCase().includes(about.toLowerCase());
}
