// What the numbers of the table mean, in the sentences that the Python client has below it.
import type { Preview } from "../api/schema";
import { Mind } from "../parts/basics";
import { eV } from "../words";

export function Meaning({ preview }: { preview: Preview }) {
  const { reference, accuracy, cautions } = preview;
  const offsets = offsetSpread(preview);
  return (
    <div class="meaning" role="note" aria-label="What the numbers mean">
      {reference && <p class="small muted">Adsorption energies in eV per adslab, relative to {reference}{accuracy && <>; <b>{accuracy}</b></>}.</p>}
      {offsets && <p class="small muted">{offsets}</p>}
      <Mind all={cautions} />
    </div>
  );
}

/** How far the members disagree about all of the minima alike; empty where nobody can tell. */
function offsetSpread({ offset_spread: spread, offsets, n_offsets: n }: Preview): string {
  if (spread === null || spread === undefined) return "";
  const each = Object.entries(offsets).sort().map(([member, offset]) => `${member} ${offset >= 0 ? "+" : ""}${eV(offset)}`);
  const minima = n === 1 ? "one distinct minimum, and nothing can be told of relative spreads" : `${n} distinct minima`;
  return `Offset spread ${eV(spread, 3, true)}: how far the members disagree about the adsorption energy as such, whichever the minimum (${each.join(", ")} eV; from ${minima}).`;
}
