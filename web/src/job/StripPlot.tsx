// Each member's energy of the chosen minima, with the mean and both spreads to either side.
import type { CandidateLine, JobView, OutcomeView, Preview } from "../api/schema";
import { useWidth } from "../hooks";
import { eV } from "../words";
import { memberColor, membersOf } from "./colors";
import { ticks } from "./ticks";

interface Props {
  job: JobView;
  preview: Preview;
  candidates: CandidateLine[];
  lines: number[];
  shown: number[];
  show: (shown: number[]) => void;
}

const ROW = 26;
const LEFT = 64;
const RIGHT = 14;
const FOOT = 34;
const MOST = 24;

export function StripPlot({ job, preview, candidates, lines, shown, show }: Props) {
  const [box, width] = useWidth(260, 600);
  const members = membersOf(job);
  const outcomes = lines.slice(0, MOST).flatMap((id) => preview.outcomes.find((one) => one.candidate === id) ?? []);
  const energies = outcomes.flatMap((one) => {
    const members = Object.values(candidates.find((other) => other.id === one.candidate)?.energies ?? {});
    const half = Math.max(one.std ?? 0, one.relative ?? 0);
    return one.mean === null ? members : [...members, one.mean - half, one.mean + half];
  });
  if (!energies.length) return null;
  const low = Math.min(...energies);
  const high = Math.max(...energies);
  const margin = Math.max(0.02, 0.06 * (high - low));
  const x = (energy: number) => LEFT + ((energy - low + margin) / (high - low + 2 * margin)) * (width - LEFT - RIGHT);
  const height = outcomes.length * ROW + FOOT;
  return (
    <section class="card" aria-labelledby="strip-title">
      <h2 id="strip-title">Members' energies <small>each member a mark, the mean a bar; to either side, pale: the standard deviation, dark: the relative spread</small></h2>
      <ul class="legend">
        {members.map((member) => (
          <li key={member}><svg width="12" height="12" viewBox="-6 -6 12 12" aria-hidden="true"><Mark at={members.indexOf(member)} color={memberColor(members, member)} /></svg> {member}</li>
        ))}
      </ul>
      <div ref={box}>
        <svg class="strip" width={width} height={height} role="img" aria-label={`Energies by member of ${outcomes.length} candidates, from ${eV(low)} to ${eV(high)} eV; the table has them as numbers`}>
          {ticks(low - margin, high + margin, width < 480 ? 4 : 7).map((tick) => (
            <g key={tick}>
              <line x1={x(tick)} x2={x(tick)} y1={0} y2={height - FOOT + 4} class="grid" />
              <text x={x(tick)} y={height - FOOT + 16} class="tick" text-anchor="middle">{eV(tick, 2)}</text>
            </g>
          ))}
          <text x={(LEFT + width - RIGHT) / 2} y={height - 3} class="tick" text-anchor="middle">adsorption energy, eV</text>
          {outcomes.map((one, row) => (
            <Row key={one.candidate} one={one} y={(row + 0.5) * ROW} x={x} width={width} shown={shown.includes(one.candidate)} onShow={() => show([one.candidate])}
              energies={candidates.find((other) => other.id === one.candidate)?.energies ?? {}} members={members} />
          ))}
        </svg>
      </div>
    </section>
  );
}

interface RowProps {
  one: OutcomeView;
  y: number;
  x: (energy: number) => number;
  width: number;
  shown: boolean;
  onShow: () => void;
  energies: Record<string, number>;
  members: string[];
}

function Row({ one, y, x, width, shown, onShow, energies, members }: RowProps) {
  return (
    <g class={shown ? "row-of shown" : "row-of"} onClick={onShow}>
      <rect x={0} y={y - ROW / 2} width={width} height={ROW} class="back" />
      <text x={4} y={y + 4} class="name">{one.rank === null ? "" : `${one.rank} `}#{one.candidate}</text>
      {one.mean !== null && one.std !== null && <line x1={x(one.mean - one.std)} x2={x(one.mean + one.std)} y1={y} y2={y} class="spread" />}
      {one.mean !== null && one.relative !== null && <line x1={x(one.mean - one.relative)} x2={x(one.mean + one.relative)} y1={y} y2={y} class="spread relative" />}
      {one.mean !== null && <line x1={x(one.mean)} x2={x(one.mean)} y1={y - 8} y2={y + 8} class="mean" />}
      {members.map((member, at) => energies[member] !== undefined && (
        <g key={member} transform={`translate(${x(energies[member]!)} ${y})`}>
          <Mark at={at} color={memberColor(members, member)} />
          <title>{`${member}: ${eV(energies[member])} eV`}</title>
        </g>
      ))}
    </g>
  );
}

/** A shape and a colour a member, so that no one has to tell them by colour alone. */
function Mark({ at, color }: { at: number; color: string }) {
  const shape = at % 4;
  if (shape === 0) return <circle r={4.5} fill={color} />;
  if (shape === 1) return <rect x={-4} y={-4} width={8} height={8} fill={color} />;
  if (shape === 2) return <path d="M0-5.5 5.5 0 0 5.5-5.5 0Z" fill={color} />;
  return <path d="M0-5 5 4.5H-5Z" fill={color} />;
}
