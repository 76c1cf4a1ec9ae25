// Which minima to compute next: where an energy by DFT would tell most.
import { Link } from "wouter-preact";
import type { Next } from "../api/schema";
import { useGet } from "../hooks";
import { Failed } from "../parts/basics";
import { Scroll } from "../parts/Scroll";
import { eV } from "../words";
import type { Asked } from "./LearnPage";

const MOST = 8;

export function NextCard({ asked }: { asked: Asked }) {
  const found = useGet<Next>("v1/labels/next", { member: asked.members, functional: asked.functional, limit: MOST });
  const minima = found.data?.minima ?? [];
  return (
    <section class="card" aria-labelledby="next-title">
      <h2 id="next-title">What to compute next <small>where an energy by {asked.functional} would tell most</small></h2>
      <Failed error={found.error} />
      {found.data && minima.length === 0 && <p class="muted">No chosen minimum that all of these members scored lacks one.</p>}
      {minima.length > 0 && (
        <>
          <Scroll label="What to compute next">
            <table class="next">
              <thead><tr><th scope="col">Minimum</th><th scope="col" class="n">Rank</th><th scope="col" class="n">Mean <small>eV</small></th><th scope="col" class="n">Std <small>eV</small></th></tr></thead>
              <tbody>
                {minima.map((one) => (
                  <tr key={one.candidate}>
                    <th scope="row"><Link href={`/jobs/${one.job}`}>{one.job_name}</Link><div class="muted small">#{one.candidate}, {one.site}</div></th>
                    <td class="n">{one.rank}</td><td class="n">{eV(one.mean)}</td><td class="n"><b>{eV(one.std)}</b></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
          <p class="muted small">Of each job the chosen minimum that these members disagree on most, adsorption energies per adslab. Its job's page has the DFT inputs, and takes the energy back.</p>
        </>
      )}
    </section>
  );
}
