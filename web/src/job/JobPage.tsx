import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useLive } from "../api/live";
import type { JobView, MeView, Overview, Preview } from "../api/schema";
import { useEvery, useGet } from "../hooks";
import { Failed, Warnings } from "../parts/basics";
import { isOpen } from "../words";
import { Attempts } from "./Attempts";
import { Choice } from "./Choice";
import { Downloads } from "./Downloads";
import { JobHead } from "./JobHead";
import { LiveChart } from "./LiveChart";
import { Minima } from "./Minima";
import { Placements } from "./Placements";
import { Side } from "./Side";
import { StripPlot } from "./StripPlot";
import { Walkers } from "./Walkers";
import { usePreview } from "./preview";

/** How often candidates are read again while new ones come: the less, the more there are, as all are read. */
const LOOK_AGAIN_MS = 8000;
const LOOK_AGAIN_MOST_MS = 30_000;
const LINES_PER_S = 12;

export function JobPage({ id, me }: { id: string; me: MeView }) {
  const found = useGet<JobView>(`v1/jobs/${id}`);
  const overview = useGet<Overview>(`v1/jobs/${id}/overview`);
  useLive([id], (job) => found.set(() => job));
  const job = found.data;
  const stale = useRef(0);
  const ended = job !== null && !isOpen(job);
  const lines = overview.data?.candidates.length ?? 0;
  useEvery(Math.min(LOOK_AGAIN_MOST_MS, Math.max(LOOK_AGAIN_MS, (1000 * lines) / LINES_PER_S)), () => {
    const marks = (job?.progress.candidates.total ?? 0) + (job?.progress.evaluations.done ?? 0);
    if (job && !ended && marks !== stale.current) {
      stale.current = marks;
      void overview.reload();
    }
  });
  useEffect(() => {
    if (ended) void overview.reload();
  }, [ended]);
  const change = useCallback((next: JobView) => found.set(() => next), [found.set]);
  if (!job) return <Failed error={found.error} />;
  return (
    <>
      <JobHead job={job} me={me} onChange={change} />
      <Body job={job} me={me} overview={overview.data} reload={overview.reload} />
      <Attempts job={job} />
    </>
  );
}

interface BodyProps {
  job: JobView;
  me: MeView;
  overview: Overview | null;
  reload: () => Promise<void>;
}

function Body({ job, me, overview, reload }: BodyProps) {
  const candidates = overview?.candidates ?? [];
  const chosen = job.state === "succeeded";
  const { preview, asked, ask, error } = usePreview(job.id, chosen);
  const ranked = useMemo(() => byRank(preview), [preview]);
  const [picked, show] = useState<number[]>([]);
  const first = ranked[0];
  // until somebody picks one, the lowest that the present rules choose
  const shown = useMemo(() => (picked.length || first === undefined ? picked : [first]), [picked, first]);
  const [selection, setSelection] = useState(0);
  const lines = useMemo(() => [...new Set([...ranked, ...shown])], [ranked, shown]);
  const minded = preview?.cautions ?? [];
  return (
    <>
      <Warnings title="What was ignored, simplified or decided for you, and what to mind" all={job.warnings.filter((one) => !minded.includes(one))} />
      <div class="split">
        <div class="wide">
          {candidates.length > 0 ? <LiveChart job={job} candidates={candidates} /> : isOpen(job) && <NothingYet />}
          {chosen && preview && (
            <>
              <Choice job={job} me={me} preview={preview} asked={asked} ask={ask} error={error} candidates={candidates} onKept={setSelection} />
              <Minima job={job} preview={preview} candidates={candidates} shown={shown} show={show} />
              <StripPlot job={job} preview={preview} candidates={candidates} lines={lines} shown={shown} show={show} />
            </>
          )}
          {candidates.length > 0 && <Walkers job={job} candidates={candidates} shown={shown} show={show} />}
          <Placements job={job} folded={chosen} />
          {(chosen || candidates.length > 0) && <Downloads job={job} candidates={candidates} preview={preview} selection={selection} choose={setSelection} moved={Object.keys(asked).length > 0} />}
        </div>
        <Side job={job} me={me} candidates={candidates} shown={shown} picked={picked} show={show} preview={preview} onFedBack={reload} />
      </div>
    </>
  );
}

function NothingYet() {
  return (
    <section class="card" aria-labelledby="search-title">
      <h2 id="search-title">Search</h2>
      <p class="empty">No minimum yet: members relax the clean slab and the placements first. What they find is drawn here as it comes.</p>
    </section>
  );
}

function byRank(preview: Preview | null): number[] {
  const chosen = (preview?.outcomes ?? []).filter((one) => one.rank !== null);
  return chosen.sort((one, other) => one.rank! - other.rank!).map((one) => one.candidate);
}
