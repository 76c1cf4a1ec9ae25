// From one of a walker's minima to the next, in the order in which it came to them.
import { useMemo } from "preact/hooks";
import type { CandidateLine } from "../api/schema";
import { hopsOf, type Hop } from "./hops";

interface Props {
  candidates: CandidateLine[];
  /** The one in the view. */
  at: number;
  show: (shown: number[]) => void;
}

export function Steps({ candidates, at, show }: Props) {
  const walker = candidates.find((one) => one.id === at)?.walker;
  const found = useMemo(() => foundBy(walker, candidates), [walker, candidates]);
  const here = found.findIndex((one) => one.found?.id === at);
  if (walker === undefined || found.length < 2) return null;
  const button = (by: number, name: string, arrow: string) => {
    const to = found[here + by]?.found?.id;
    return <button aria-label={`${name} minimum of walker ${walker}`} aria-disabled={to === undefined} onClick={() => to !== undefined && show([to])}>{arrow}</button>;
  };
  return (
    <div class="steps row" role="group" aria-label={`Steps of walker ${walker}, in 3-D`}>
      {button(-1, "Earlier", "◂")}
      <span class="grow small" aria-live="polite"><b>Walker {walker}, hop {found[here]?.hop}</b> <span class="muted">{found[here]?.words}</span></span>
      {button(1, "Later", "▸")}
    </div>
  );
}

function foundBy(walker: number | undefined, candidates: CandidateLine[]): Hop[] {
  if (walker === undefined) return [];
  const hops = 1 + Math.max(...candidates.filter((one) => one.walker === walker).map((one) => one.hop));
  return hopsOf({ id: walker, hops }, candidates).filter((one) => one.found !== null);
}
