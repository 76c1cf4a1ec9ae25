// How fast each worker evaluates structures: by how its counters grew between two looks.
import { useRef } from "preact/hooks";
import type { Workers } from "../api/schema";

/** Evaluations a second by worker and member; null before there were two looks. */
export type Pace = (worker: string, member: string) => number | null;

interface Seen {
  at: number;
  counted: number;
  perSecond: number | null;
}

export function usePace(workers: Workers | null): Pace {
  const seen = useRef(new Map<string, Seen>());
  const looked = useRef<Workers | null>(null);
  if (workers && workers !== looked.current) {
    looked.current = workers;
    for (const worker of workers.workers) for (const one of worker.members) note(seen.current, `${worker.name} ${worker.started_at} ${one.member}`, Date.parse(worker.heartbeat_at), one.evaluations);
  }
  return (name, member) => {
    const worker = workers?.workers.find((one) => one.name === name);
    return worker ? (seen.current.get(`${name} ${worker.started_at} ${member}`)?.perSecond ?? null) : null;
  };
}

/** A worker tells of itself every few seconds: a look that finds nothing new says nothing. */
function note(seen: Map<string, Seen>, key: string, at: number, counted: number): void {
  const before = seen.get(key);
  if (!before || counted < before.counted) seen.set(key, { at, counted, perSecond: null });
  else if (at > before.at) seen.set(key, { at, counted, perSecond: (1000 * (counted - before.counted)) / (at - before.at) });
}
