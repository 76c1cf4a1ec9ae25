import { useEffect, useRef, useState } from "preact/hooks";
import { Refusal, send } from "../api/client";
import type { JobRequest, SystemView } from "../api/schema";
import { said, useSettled } from "../hooks";
import { PlacementViewer } from "../job/Placements";
import { Fact, Mind, Warnings } from "../parts/basics";
import { count, duration, formula } from "../words";

const SETTLED_MS = 350;

interface State {
  system: SystemView | null;
  error: string;
  field: string | null;
  busy: boolean;
}

/** What the server makes of the request; asked again when it has changed and stays so for a moment. */
export function useUnderstood(body: JobRequest | null): State {
  const [state, set] = useState<State>({ system: null, error: "", field: null, busy: false });
  const settled = useSettled(body, SETTLED_MS);
  const number = useRef(0);
  const waits = JSON.stringify(body) !== JSON.stringify(settled);
  useEffect(() => {
    number.current += 1;
    const mine = number.current;
    if (!settled) return set({ system: null, error: "", field: null, busy: false });
    set((before) => ({ ...before, busy: true }));
    send<SystemView>("POST", "v1/systems", settled).then(
      (system) => mine === number.current && set({ system, error: "", field: null, busy: false }),
      (error) => mine === number.current && set({ system: null, error: said(error), field: error instanceof Refusal ? error.field : null, busy: false }),
    );
  }, [JSON.stringify(settled)]);
  return { ...state, busy: state.busy || waits };
}

export function Understood({ system, error, field, busy, missing }: State & { missing: string }) {
  return (
    <section class="card" aria-labelledby="understood-title" aria-busy={busy}>
      <h2 id="understood-title">What was understood {busy && <small>looking…</small>}</h2>
      {missing && <p class="empty">{missing}</p>}
      {error && <p class="callout bad" role="alert">{field && <code>{field}</code>} {error}</p>}
      {system && <Shown system={system} />}
    </section>
  );
}

function Shown({ system }: { system: SystemView }) {
  const { slab, adsorbate, members } = system;
  const sites = [...new Set(system.placements.map((one) => one.site))];
  return (
    <>
      <PlacementViewer key={system.digest} system={system} />
      <Mind all={system.cautions} />
      <Warnings title="What was ignored, simplified or decided for you" all={system.warnings.filter((one) => !system.cautions.includes(one))} />
      <dl class="facts small">
        <Fact name="Slab">{formula(slab.formula)} <small>{slab.n_atoms} atoms</small></Fact>
        <Fact name="Fixed">{slab.fixed.length} <small>{slab.n_free} move</small></Fact>
        <Fact name="Thickness">{slab.thickness.toFixed(1)} <small>Å</small></Fact>
        <Fact name="Vacuum">{slab.cell.vacuum.toFixed(1)} <small>Å</small></Fact>
        <Fact name="Cell">{slab.cell.lengths.slice(0, 2).map((one) => one.toFixed(2)).join(" × ")} <small>Å</small></Fact>
        <Fact name="Molecule">{formula(adsorbate.name)} <small>{adsorbate.symbols.length} atoms, {adsorbate.binding.map((one) => adsorbate.symbols[one]).join(", ")} down</small></Fact>
        <Fact name="Placements">{system.placements.length} <small>{sites.length} kinds of site</small></Fact>
        <Fact name="Searched by">{members.search.join(", ")}</Fact>
        {members.refine.length > 0 && <Fact name="Refined by">{members.refine.join(", ")}</Fact>}
        <Fact name="Scored by">{members.score.join(", ")}</Fact>
        <Fact name="Energies against" wide>
          {[...new Set(system.references.map((one) => one.statement))].join("; ")}
          {[...new Set(system.references.map((one) => one.accuracy).filter(Boolean))].map((one) => <small key={one}> {one}</small>)}
        </Fact>
      </dl>
    </>
  );
}

export function Cost({ cost }: Pick<SystemView, "cost">) {
  return (
    <div class="callout">
      Likely to cost <b>{count(cost.force_calls)}</b> force calls in {cost.walkers} walkers{cost.seconds !== null && <>, some <b>{duration(cost.seconds)}</b></>}
      <details class="small muted"><summary>how this was estimated</summary>{cost.how}</details>
    </div>
  );
}
