// A walker's hops, read off the candidates that it left: each hop but one that diverged leaves one.
import type { CandidateLine, WalkerLine } from "../api/schema";
import { eV } from "../words";

export interface Hop {
  hop: number;
  /** The minimum that its walker had accepted last; null for the relaxation of the placement. */
  from: CandidateLine | null;
  /** The minimum that it came to; null where there is none. */
  found: CandidateLine | null;
  accepted: boolean;
  /** What came of it, in words. */
  words: string;
}

export function hopsOf(walker: Pick<WalkerLine, "id" | "hops">, candidates: CandidateLine[]): Hop[] {
  const own = new Map(candidates.filter((one) => one.walker === walker.id).map((one) => [one.hop, one]));
  const hops: Hop[] = [];
  let from: CandidateLine | null = null;
  for (let hop = 0; hop < walker.hops; hop += 1) {
    const found = own.get(hop) ?? null;
    hops.push({ hop, from, found, accepted: found?.accepted ?? false, words: words(found, from) });
    if (found?.accepted) from = found;
  }
  return hops;
}

function words(found: CandidateLine | null, from: CandidateLine | null): string {
  if (!found) return "left no minimum: it diverged, or what it found was dropped";
  const flaws = [...(found.converged ? [] : ["not converged"]), ...found.anomalies];
  if (found.temperature_k === null) return flaws.length ? `placement relaxed: ${flaws.join(", ")}` : "placement relaxed";
  if (found.accepted) return found.duplicate_of === null ? "accepted: it went on from here" : `accepted; the same as #${found.duplicate_of}, found elsewhere`;
  if (flaws.length) return `returned: ${flaws.join(", ")}`;
  if (found.duplicate_of !== null && found.duplicate_of === from?.id) return "returned: it fell back to where it was";
  if (found.duplicate_of !== null) return `returned: the same as #${found.duplicate_of}, which was known`;
  const rise = from === null ? 0 : found.energy - from.energy;
  return rise > 0 ? `returned: ${eV(rise)} eV up was more than its window allowed` : "returned: it was known by then, or the hop began at another walker's minimum";
}
