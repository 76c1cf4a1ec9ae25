import { useState } from "preact/hooks";
import type { JobView, SystemView } from "../api/schema";
import { useGet } from "../hooks";
import { Failed } from "../parts/basics";
import { Viewer } from "../structure/Viewer";

/** The starting geometries of a job. folded: read and drawn once they are asked for. */
export function Placements({ job, folded }: { job: JobView; folded: boolean }) {
  const [open, setOpen] = useState(!folded);
  const wanted = open || !folded;
  return (
    <section class="card" aria-labelledby="placements-title">
      <div class="head">
        <h2 id="placements-title">Placements <small>where the search {folded ? "started" : "starts"}</small></h2>
        {folded && <button class="push" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? "Hide" : "Show in 3-D"}</button>}
      </div>
      {wanted && <Loaded job={job} />}
    </section>
  );
}

function Loaded({ job }: { job: JobView }) {
  const found = useGet<SystemView>(`v1/jobs/${job.id}/system`);
  return (
    <>
      <Failed error={found.error} />
      {found.data && <PlacementViewer system={found.data} />}
    </>
  );
}

export function PlacementViewer({ system }: { system: SystemView }) {
  const [at, look] = useState(0);
  const shown = system.placements[Math.min(at, system.placements.length - 1)];
  if (!shown) return <Viewer structure={system.slab.structure} label="Clean slab" marked={system.slab.surface} />;
  return (
    <>
      <Viewer structure={shown.structure} label={`Placement ${shown.index}, ${shown.site}`} />
      <div class="picks" role="group" aria-label="Placements by site">
        {system.placements.map((one, index) => (
          <button key={one.index} aria-pressed={index === at} onClick={() => look(index)} title={one.method}>{one.index} {one.site}</button>
        ))}
      </div>
    </>
  );
}
