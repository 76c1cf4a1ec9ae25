// What is looked at more closely: one candidate, or two side by side.
import { useEffect, useRef } from "preact/hooks";
import type { CandidateLine, CandidateView, JobView, MeView, OutcomeView, Preview } from "../api/schema";
import { useGet } from "../hooks";
import { Fact, Failed } from "../parts/basics";
import { Viewer } from "../structure/Viewer";
import { eV } from "../words";
import { FeedBack } from "./FeedBack";
import { Steps } from "./Steps";

/** Where the view stands below the table: as the style sheet has it. */
const BELOW = "(width <= 980px)";

interface Props {
  job: JobView;
  me: MeView;
  candidates: CandidateLine[];
  shown: number[];
  /** Those of them that somebody asked for. */
  picked: number[];
  show: (shown: number[]) => void;
  preview: Preview | null;
  onFedBack: () => Promise<void>;
}

export function Side({ job, me, candidates, shown, picked, show, preview, onFedBack }: Props) {
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (picked.length > 1 || (picked.length && matchMedia(BELOW).matches)) box.current?.scrollIntoView({ block: "nearest" });
  }, [picked]);
  if (!shown.length) return null;
  return (
    <aside ref={box} class={shown.length > 1 ? "side two" : "side"} aria-label="Chosen candidates in 3-D">
      {shown.length === 1 && <Steps candidates={candidates} at={shown[0]!} show={show} />}
      {shown.map((id) => (
        <Candidate key={id} job={job} me={me} id={id} onFedBack={onFedBack}
          outcome={preview?.outcomes.find((one) => one.candidate === id)}
          onClose={shown.length > 1 ? () => show(shown.filter((one) => one !== id)) : undefined} />
      ))}
      {shown.length > 1 && preview && <Difference preview={preview} shown={shown} />}
    </aside>
  );
}

interface CandidateProps {
  job: JobView;
  me: MeView;
  id: number;
  outcome: OutcomeView | undefined;
  onClose: (() => void) | undefined;
  onFedBack: () => Promise<void>;
}

function Candidate({ job, me, id, outcome, onClose, onFedBack }: CandidateProps) {
  const found = useGet<CandidateView>(`v1/jobs/${job.id}/candidates/${id}`);
  const one = found.data;
  const refresh = async () => {
    await Promise.all([found.reload(), onFedBack()]);
  };
  return (
    <section class="card" aria-labelledby={`candidate-${id}`}>
      <div class="head">
        <h2 id={`candidate-${id}`}>{outcome?.rank != null ? `Rank ${outcome.rank}` : "Candidate"} <small>#{id}{one && ` · ${one.site}`}</small></h2>
        {onClose && <button class="quiet push" onClick={onClose} aria-label={`Close candidate ${id}`}>×</button>}
      </div>
      <Failed error={found.error} />
      {one ? <Viewer structure={one.structure} label={`Candidate ${id}`} /> : <div class="viewer waiting" />}
      {outcome && <p class="verdict">{outcome.verdict}</p>}
      {one && (
        <>
          <dl class="facts small">
            <Fact name="Found by">{one.member}</Fact>
            <Fact name="Walker, hop">{one.walker}, {one.hop}</Fact>
            <Fact name="Largest force">{eV(one.fmax)} <small>eV/Å</small></Fact>
            <Fact name="Converged">{one.converged ? "yes" : "no"}</Fact>
            {one.anomalies.length > 0 && <Fact name="Anomalies">{one.anomalies.join(", ")}</Fact>}
            {one.duplicate_of !== null && <Fact name="The same as">#{one.duplicate_of}</Fact>}
          </dl>
          <Energies one={one} />
          {me.role !== "read" && <FeedBack candidate={one} onDone={refresh} />}
        </>
      )}
    </section>
  );
}

function Energies({ one }: { one: CandidateView }) {
  return (
    <table class="plain">
      <caption class="muted small">Adsorption energy, eV per adslab</caption>
      <tbody>
        {one.energies.map((energy) => (
          <tr key={energy.member}>
            <th scope="row">{energy.member}</th>
            <td class="n">{eV(energy.adsorption_energy)}</td>
            <td class="muted small">{energy.left_minimum ?? (energy.displacement === null ? energy.state !== "succeeded" && energy.state : `after ${energy.relaxation_steps} steps, ${energy.displacement.toFixed(2)} Å`)}</td>
          </tr>
        ))}
        {one.reference_energies.map((label) => (
          <tr key={label.id} class="label">
            <th scope="row">{label.functional}</th>
            <td class="n">{eV(label.adsorption_energy)}</td>
            <td class="muted small">{label.code}{label.user && `, ${label.user}`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Difference({ preview, shown }: { preview: Preview; shown: number[] }) {
  const [one, other] = shown.map((id) => preview.outcomes.find((outcome) => outcome.candidate === id));
  if (!one || !other || one.mean === null || other.mean === null) return null;
  const apart = other.mean - one.mean;
  return (
    <p class="callout">
      #{other.candidate} is <b>{eV(Math.abs(apart), 3, true)}</b> {apart >= 0 ? "above" : "below"} #{one.candidate} in the mean{one.std !== null && other.std !== null ? "; " : "."}
      {one.std !== null && other.std !== null && <>the members' spreads are {eV(one.std)} and {eV(other.std)} eV.</>}
    </p>
  );
}
