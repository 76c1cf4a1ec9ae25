import type { Load, Models, WorkerView, Workers } from "../api/schema";
import { useEvery, useGet } from "../hooks";
import { Failed } from "../parts/basics";
import { MembersTable } from "./MembersTable";
import { Speeds } from "./Speeds";
import { Worker } from "./Worker";
import { usePace } from "./pace";

const LOOK_AGAIN_MS = 5000;

export function WorkersPage() {
  const workers = useGet<Workers>("v1/workers");
  const load = useGet<Load>("v1/load");
  const models = useGet<Models>("v1/models");
  useEvery(LOOK_AGAIN_MS, () => {
    void workers.reload();
    void load.reload();
  });
  const all: WorkerView[] = workers.data?.workers ?? [];
  const pace = usePace(workers.data);
  return (
    <>
      <h1>Workers</h1>
      <Failed error={workers.error ?? load.error} />
      {workers.data && all.length === 0 && <p class="callout bad">No worker has reported within the last minute: jobs are accepted and wait.</p>}
      <div class="cards">
        {all.map((one) => <Worker key={one.name} one={one} load={load.data?.workers.find((other) => other.worker === one.name)} pace={pace} />)}
      </div>
      {load.data && <Speeds load={load.data} />}
      {models.data && <MembersTable all={models.data.models} />}
    </>
  );
}
