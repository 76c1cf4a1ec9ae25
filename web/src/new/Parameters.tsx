// Parameters in three depths: the defaults, the common ones, all of them.
import { useState } from "preact/hooks";
import type { ModelView, Models } from "../api/schema";
import { useGet } from "../hooks";
import { AllParameters } from "./AllParameters";
import type { Draft, Parameters as Values } from "./draft";

interface Props {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
}

type Depth = "defaults" | "common" | "all";

export function Parameters({ draft, change }: Props) {
  const [depth, setDepth] = useState<Depth>("defaults");
  const set = (group: string | null, name: string, value: unknown) => change({ parameters: withValue(draft.parameters, group, name, value) });
  const changed = Object.values(draft.parameters).reduce<number>((n, one) => n + (isGroup(one) ? Object.keys(one).length : 1), 0);
  return (
    <section class="card" aria-labelledby="parameters-title">
      <div class="head">
        <h2 id="parameters-title">Parameters {changed > 0 && <small>{changed} changed</small>}</h2>
        <div class="tabs" role="group" aria-label="How many are shown">
          {(["defaults", "common", "all"] as Depth[]).map((one) => <button key={one} aria-pressed={depth === one} onClick={() => setDepth(one)}>{one}</button>)}
        </div>
        {changed > 0 && <button class="push" onClick={() => change({ parameters: {} })}>Back to the defaults</button>}
      </div>
      {depth === "defaults" && <p class="muted">20 placements, of which the 4 best of each member hop up to 10 times; chosen are up to 5 minima on which the members agree to within 0.3 eV.</p>}
      {depth === "common" && <Common values={draft.parameters} set={set} />}
      {depth === "all" && <AllParameters values={draft.parameters} set={set} />}
    </section>
  );
}

export type SetValue = (group: string | null, name: string, value: unknown) => void;

function Common({ values, set }: { values: Values; set: SetValue }) {
  const models = useGet<Models>("v1/models");
  const known = [...(models.data?.models ?? [])].sort((one, other) => other.workers - one.workers);
  const number = (group: string | null, name: string, label: string, standard: string, step = 1) => (
    <label>{label}
      <input type="number" min={0} step={step} placeholder={standard} value={String(valueOf(values, group, name) ?? "")}
        onInput={(event) => set(group, name, event.currentTarget.value === "" ? undefined : Number(event.currentTarget.value))} />
    </label>
  );
  return (
    <>
      <div class="fields">
        {number("placement", "count", "Placements", "20")}
        {number("hopping", "walkers", "Walkers a member", "4")}
        {number("hopping", "hops", "Hops a walker", "10")}
        {number("ensemble", "limit", "Limit of the spread, eV", "0.3", 0.05)}
        {number("selection", "count", "Minima, at most", "5")}
        {number("selection", "window", "Window above the lowest, eV", "none", 0.1)}
        {number(null, "max_force_calls", "Force calls, at most", "no limit")}
        {number(null, "seed", "Seed", "0")}
      </div>
      <Members title="Search" known={known} chosen={valueOf(values, "ensemble", "search_members")} set={(value) => set("ensemble", "search_members", value)} />
      <Members title="Score" known={known} chosen={valueOf(values, "ensemble", "score_members")} set={(value) => set("ensemble", "score_members", value)} />
    </>
  );
}

function Members({ title, known, chosen, set }: { title: string; known: ModelView[]; chosen: unknown; set: (value: string[] | undefined) => void }) {
  const own = Array.isArray(chosen) ? (chosen as string[]) : [];
  const turn = (name: string) => {
    const next = own.includes(name) ? own.filter((one) => one !== name) : [...own, name];
    set(next.length ? next : undefined);
  };
  return (
    <fieldset>
      <legend>{title} with <small class="muted">{own.length ? "" : "the server's default members"}</small></legend>
      <div class="columns">
        {known.map(({ name, workers }) => (
          <label key={name} class="check"><input type="checkbox" checked={own.includes(name)} onChange={() => turn(name)} /> {name} {workers === 0 && <small class="muted">no worker hosts it</small>}</label>
        ))}
      </div>
    </fieldset>
  );
}

export function valueOf(values: Values, group: string | null, name: string): unknown {
  if (group === null) return values[name];
  const part = values[group];
  return isGroup(part) ? part[name] : undefined;
}

function withValue(values: Values, group: string | null, name: string, value: unknown): Values {
  const { [group ?? name]: before, ...rest } = values;
  if (group === null) return value === undefined ? rest : { ...rest, [name]: value };
  const { [name]: _, ...others } = isGroup(before) ? before : {};
  const part = value === undefined ? others : { ...others, [name]: value };
  return Object.keys(part).length ? { ...rest, [group]: part } : rest;
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
