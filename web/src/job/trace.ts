// Best energy so far against force calls, for each member that searches.
import type { CandidateLine } from "../api/schema";

export interface Trace {
  member: string;
  /** Force calls of this member up to each point. */
  calls: number[];
  /** Lowest energy of a sound minimum so far, eV; null before there is one. */
  best: (number | null)[];
  /** Whether these are adsorption energies; otherwise they count from the member's own lowest. */
  adsorption: boolean;
}

/** Candidates in the order they were stored. A member's adsorption energies differ from its bare ones by one number for all. */
export function traces(candidates: CandidateLine[]): Trace[] {
  const members = [...new Set(candidates.map((one) => one.member))].sort();
  return members.map((member) => trace(member, candidates.filter((one) => one.member === member)));
}

function trace(member: string, own: CandidateLine[]): Trace {
  const scored = own.find((one) => one.energies[member] !== undefined);
  const lowest = Math.min(...own.map((one) => one.energy));
  const offset = scored ? scored.energies[member]! - scored.energy : -lowest;
  const calls = [0];
  const best: (number | null)[] = [null];
  for (const one of own) {
    const before = best.at(-1) ?? null;
    const energy = one.energy + offset;
    const sound = one.converged && one.anomalies.length === 0;
    calls.push(calls.at(-1)! + one.force_calls);
    best.push(sound && (before === null || energy < before) ? energy : before);
  }
  return { member, calls, best, adsorption: scored !== undefined };
}
