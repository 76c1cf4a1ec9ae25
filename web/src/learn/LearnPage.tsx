// What labs computed, beside what the members say; limits of the spread that were learned from it.
import { useEffect, useState } from "preact/hooks";
import type { CalibrationList, Labels, MeView, Models } from "../api/schema";
import { useGet, useSettled } from "../hooks";
import { Failed } from "../parts/basics";
import { count, eV } from "../words";
import { Calibrations } from "./Calibrations";
import { Learn } from "./Learn";
import { NextCard } from "./NextCard";
import { Parity } from "./Parity";

const SETTLED_MS = 350;
const USUAL = "RPBE";

export interface Asked {
  members: string[];
  functional: string;
}

export function LearnPage({ me }: { me: MeView }) {
  const models = useGet<Models>("v1/models");
  const [asked, ask] = useState<Asked>({ members: [], functional: USUAL });
  const usual = models.data?.models.filter((one) => one.default_score).map((one) => one.name) ?? [];
  useEffect(() => {
    if (usual.length) ask((before) => (before.members.length ? before : { ...before, members: usual }));
  }, [usual.join()]);
  const settled = useSettled(asked, SETTLED_MS);
  const several = asked.members.length > 1 && settled.members.length > 1;
  const about = { members: settled.members, functional: settled.functional.trim() || USUAL };
  const labels = useGet<Labels>(several ? "v1/labels" : null, { member: about.members, functional: about.functional });
  const calibrations = useGet<CalibrationList>("v1/calibrations");
  const known = models.data?.models.map((one) => one.name) ?? [];
  return (
    <>
      <h1>Learn</h1>
      <div class="learn-split">
        <section class="card" aria-labelledby="labels-title">
          <h2 id="labels-title">Labels and members <small>energies that were handed back, beside the mean of the members</small></h2>
          <Which known={known} asked={asked} ask={ask} />
          <Failed error={labels.error} />
          {!several && <p class="empty">Choose two members at least.</p>}
          {several && labels.data && <Found labels={labels.data} />}
        </section>
        {several && (
          <div>
            {me.role !== "read" && <Learn asked={about} labels={labels.data} onLearned={calibrations.reload} />}
            <NextCard asked={about} />
          </div>
        )}
      </div>
      <Calibrations me={me} found={calibrations} />
    </>
  );
}

function Which({ known, asked, ask }: { known: string[]; asked: Asked; ask: (asked: Asked) => void }) {
  const turn = (name: string) => ask({ ...asked, members: asked.members.includes(name) ? asked.members.filter((one) => one !== name) : [...asked.members, name] });
  return (
    <div class="which">
      <fieldset>
        <legend>Members</legend>
        <div class="columns">{known.map((name) => <label key={name} class="check"><input type="checkbox" checked={asked.members.includes(name)} onChange={() => turn(name)} /> {name}</label>)}</div>
      </fieldset>
      <label>Functional of the labels<input value={asked.functional} maxLength={60} placeholder={USUAL} onInput={(event) => ask({ ...asked, functional: event.currentTarget.value })} /></label>
    </div>
  );
}

function Found({ labels }: { labels: Labels }) {
  const others = labels.n - labels.points.length;
  if (!labels.n)
    return <p class="empty">No candidate that all of these members scored has an energy by {labels.functional} yet. Hand one back beside a candidate, on its job's page.</p>;
  return (
    <>
      <p role="status">
        <b>{count(labels.n)}</b> {labels.n === 1 ? "candidate" : "candidates"} of {count(labels.systems)} {labels.systems === 1 ? "job" : "jobs"}; the members' mean is off by <b>{eV(labels.mean_error)} eV</b> on average.
        {others > 0 && <> {count(others)} of them are of jobs that you don't see, or too many to draw.</>}
      </p>
      {labels.points.length > 0 && <Parity points={labels.points} functional={labels.functional} />}
      <p class="muted small">Both are adsorption energies per adslab against the same reference. A bar is the members' standard deviation to either side; the band is 0.1 eV wide to either side. Energies: {labels.scale}.</p>
    </>
  );
}
