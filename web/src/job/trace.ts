// Best energy so far against force calls, for each member that searches.
import type { CandidateLine } from "../api/schema";

export interface Trace {
  member: string;
  /** Force calls of this member up to each point. */
  calls: number[];
  /** Lowest energy of a sound minimum so far, eV; null before there is one. */
  best: (number | null)[];
  /** Whether these are adsorption energies; otherwise they count from the member's own lowest. The same for all. */
  adsorption: boolean;
}

/** Candidates in the order they were stored. A member's adsorption energies differ from its bare ones by one number for all; until
 * each member has one, all count from their lowest, as an axis has one meaning. */
export function traces(candidates: CandidateLine[]): Trace[] {
  const members = [...new Set(candidates.map((one) => one.member))].sort();
  const own = members.map((member) => candidates.filter((one) => one.member === member));
  const scored = members.map((member, at) => own[at]!.find((one) => one.energies[member] !== undefined));
  const adsorption = scored.every((one) => one !== undefined);
  return members.map((member, at) => {
    const one = scored[at];
    const lowest = Math.min(...own[at]!.map((each) => each.energy));
    return trace(member, own[at]!, adsorption && one ? one.energies[member]! - one.energy : -lowest, adsorption);
  });
}

function trace(member: string, own: CandidateLine[], offset: number, adsorption: boolean): Trace {
  const calls = [0];
  const best: (number | null)[] = [null];
  for (const one of own) {
    const before = best.at(-1) ?? null;
    const energy = one.energy + offset;
    const sound = one.converged && one.anomalies.length === 0;
    calls.push(calls.at(-1)! + one.force_calls);
    best.push(sound && (before === null || energy < before) ? energy : before);
  }
  return { member, calls, best, adsorption };
}
