// Who searched from where, and a walker's hops one by one: where each went, and whether the walker followed.
import { useMemo, useState } from "preact/hooks";
import type { CandidateLine, JobView, WalkerLine, Walkers as All } from "../api/schema";
import { useChanged, useGet } from "../hooks";
import { Failed, StateChip } from "../parts/basics";
import { Scroll } from "../parts/Scroll";
import { count } from "../words";
import { Hops } from "./Hops";

interface Props {
  job: JobView;
  candidates: CandidateLine[];
  shown: number[];
  show: (shown: number[]) => void;
}

const ENDS: Record<string, string> = {
  hops: "all its hops made",
  budget: "its force calls used up",
  patience: "nothing lower for long",
  "not promising": "others started lower",
  "wall time": "the job's time used up",
};

export function Walkers({ job, candidates, shown, show }: Props) {
  const found = useGet<All>(`v1/jobs/${job.id}/walkers`);
  const [chosen, choose] = useState<number | null>(null);
  const [rest, setRest] = useState(false);
  const { succeeded, failed } = job.progress.walkers;
  useChanged(`${job.state} ${succeeded} ${failed} ${chosen === null ? "" : candidates.length}`, () => void found.reload());
  const done = useMemo(() => doneBy(candidates), [candidates]);
  const all = (found.data?.walkers ?? []).map((one) => ({ ...one, hops: Math.max(one.hops, done.get(one.id)?.hops ?? 0), force_calls: Math.max(one.force_calls, done.get(one.id)?.calls ?? 0) }));
  const hopped = all.filter((one) => one.hops > 1 || one.state === "running");
  const listed = rest || hopped.length === 0 ? all : hopped;
  const at = all.find((one) => one.id === chosen);
  if (!all.length) return <Failed error={found.error} />;
  return (
    <section class="card" aria-labelledby="walkers-title">
      <div class="head">
        <h2 id="walkers-title">Walkers <small>{all.length}, of which {hopped.length} went on to hop</small></h2>
        {hopped.length > 0 && hopped.length < all.length && (
          <div class="tabs push" role="group" aria-label="Which walkers">
            <button aria-pressed={!rest} onClick={() => setRest(false)}>that went on</button>
            <button aria-pressed={rest} onClick={() => setRest(true)}>all</button>
          </div>
        )}
      </div>
      <Failed error={found.error} />
      <Scroll tall label="Walkers">
        <table class="walkers numbered">
          <thead><tr><th scope="col">Walker</th><th scope="col">Starts at</th><th scope="col">Member</th><th scope="col">State</th><th scope="col" class="n">Hops</th><th scope="col" class="n">Force calls</th></tr></thead>
          <tbody>{listed.map((one) => <Line key={one.id} one={one} chosen={one.id === chosen} onChoose={() => choose(one.id === chosen ? null : one.id)} />)}</tbody>
        </table>
      </Scroll>
      {at && <Hops key={at.id} walker={at} candidates={candidates} shown={shown} show={show} />}
    </section>
  );
}

/** What each walker did, as far as candidates tell: those are read more often. */
function doneBy(candidates: CandidateLine[]): Map<number, { hops: number; calls: number }> {
  const done = new Map<number, { hops: number; calls: number }>();
  for (const one of candidates) {
    const before = done.get(one.walker) ?? { hops: 0, calls: 0 };
    done.set(one.walker, { hops: Math.max(before.hops, one.hop + 1), calls: before.calls + one.force_calls });
  }
  return done;
}

function Line({ one, chosen, onChoose }: { one: WalkerLine; chosen: boolean; onChoose: () => void }) {
  const why = one.failure ? `${one.failure.kind}: ${one.failure.reason}` : one.ended_because && ENDS[one.ended_because];
  return (
    <tr class={chosen ? "chosen" : ""}>
      <th scope="row" class="nowrap">{one.id} <button aria-pressed={chosen} aria-label={`Hops of walker ${one.id}`} onClick={onChoose}>hops</button></th>
      <td>{one.refines === null ? <>placement {one.placement} <small class="muted">{one.site}</small></> : <>candidate #{one.refines} <small class="muted">relaxed again</small></>}</td>
      <td class="nowrap">{one.member}</td>
      <td><StateChip state={one.state} /> {why && <small class={one.failure ? "bad" : "muted"}>{why}</small>}</td>
      <td class="n">{Math.max(0, one.hops - 1)}</td>
      <td class="n">{count(one.force_calls)}</td>
    </tr>
  );
}
