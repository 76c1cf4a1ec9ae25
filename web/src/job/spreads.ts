// The ways of measuring how far members disagree, and what each of them asks.
import type { Preview, Spread } from "../api/schema";

export type SpreadName = Spread;

interface Words {
  heading: string;
  label: string;
  asks: string;
}

export const SPREADS: Record<SpreadName, Words> = {
  std: { heading: "Std", label: "std", asks: "how far the members disagree about this adsorption energy: their sample standard deviation" },
  range: { heading: "Range", label: "range", asks: "how far the members disagree about this adsorption energy: the largest minus the smallest" },
  relative: { heading: "Relative", label: "relative", asks: "how far the members disagree about where the minimum stands among the others: what they say of all alike is left out" },
};

/** That of the energy, as the rules have it, and that of the order. */
export function shownSpreads(preview: Preview): SpreadName[] {
  return [preview.rules.spread === "range" ? "range" : "std", "relative"];
}
