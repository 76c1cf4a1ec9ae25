import type { Load, Pieces } from "../api/schema";
import { count, duration, rate } from "../words";
import { inWords } from "./Worker";
import { Scroll } from "../parts/Scroll";

/** What waits for each member, and how fast its work went of late, on all workers together. */
export function Speeds({ load }: { load: Load }) {
  return (
    <section class="card" aria-labelledby="speeds-title">
      <h2 id="speeds-title">Work and speed by member <small>of everybody's jobs; speeds over the last {duration(load.window_s)}</small></h2>
      {load.members.length === 0 ? (
        <p class="muted">Nothing waits, and nothing was done within this time.</p>
      ) : (
        <Scroll label="Speeds">
          <table>
            <thead><tr><th scope="col">Member</th><th scope="col">Waits</th><th scope="col">In hand</th><th scope="col" class="n">Hops a minute</th><th scope="col" class="n">Force calls a second <small>of hops</small></th></tr></thead>
            <tbody>
              {load.members.map((one) => (
                <tr key={one.member}><th scope="row">{one.member}</th><td title={inWords(one.queued)}>{shortly(one.queued)}</td><td>{shortly(one.held)}</td><td class="n">{rate(one.hops_per_minute)}</td><td class="n">{rate(one.force_calls_per_second)}</td></tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}

function shortly(work: Pieces): string {
  return work.references + work.walkers + work.evaluations + work.stages ? inWords(work) : count(0);
}
