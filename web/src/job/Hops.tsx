import { useMemo } from "preact/hooks";
import type { CandidateLine, WalkerLine } from "../api/schema";
import { count, eV } from "../words";
import { HopPlot } from "./HopPlot";
import { hopsOf } from "./hops";
import { Scroll } from "../parts/Scroll";

interface Props {
  walker: WalkerLine;
  candidates: CandidateLine[];
  shown: number[];
  show: (shown: number[]) => void;
}

export function Hops({ walker, candidates, shown, show }: Props) {
  const hops = useMemo(() => hopsOf(walker, candidates), [walker, candidates]);
  const found = hops.filter((one) => one.found !== null);
  const at = found.findIndex((one) => one.found!.id === shown[0]);
  const step = (by: number) => found.length && show([found[Math.min(found.length - 1, Math.max(0, at + by))]!.found!.id]);
  return (
    <div class="hops-of" role="group" aria-label={`Hops of walker ${walker.id}`}>
      <div class="head">
        <h3>Hops of walker {walker.id} <small class="muted">{walker.member}, from {walker.site}</small></h3>
        <div class="tabs push" role="group" aria-label="Step through what it found, in 3-D">
          <button aria-disabled={!found.length || at === 0} onClick={() => step(at < 0 ? 1 : -1)}>◂ earlier</button>
          <button aria-disabled={!found.length || at === found.length - 1} onClick={() => step(1)}>later ▸</button>
        </div>
      </div>
      {found.length > 1 && <HopPlot hops={hops} shown={shown} show={show} />}
      <Scroll label={`Table of the hops of walker ${walker.id}`}>
        <table class="numbered">
          <thead><tr><th scope="col" class="n">Hop</th><th scope="col">From</th><th scope="col">To</th><th scope="col" class="n">Up by <small>eV</small></th><th scope="col" class="n">K</th><th scope="col" class="n">Force calls</th><th scope="col">What came of it</th></tr></thead>
          <tbody>
            {hops.map((one) => (
              <tr key={one.hop} class={one.found && shown.includes(one.found.id) ? "chosen" : ""}>
                <th scope="row" class="n">{one.hop}</th>
                <td class="nowrap">{one.from === null ? "placement" : `#${one.from.id}`}</td>
                <td class="nowrap two">{one.found ? <><button class="link" aria-label={`Show candidate ${one.found.id}`} onClick={() => show([one.found!.id])}>#{one.found.id}</button> <small class="muted">{one.found.site}</small></> : "–"}</td>
                <td class="n">{one.found && one.from ? eV(one.found.energy - one.from.energy) : "–"}</td>
                <td class="n">{count(one.found?.temperature_k === null || !one.found ? null : Math.round(one.found.temperature_k))}</td>
                <td class="n">{count(one.found?.force_calls ?? null)}</td>
                <td class={one.accepted ? "came across" : "came across muted"}>{one.words}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <p class="muted small">Energies are bare ones of {walker.member}. The path of a hop, its dynamics and relaxation, isn't stored: only the minimum that it came to.</p>
    </div>
  );
}
