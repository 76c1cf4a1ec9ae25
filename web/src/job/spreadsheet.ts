import type { CandidateLine, OutcomeView, Preview } from "../api/schema";

type Cell = string | number | boolean | null | undefined;

/** All candidates as CSV; energies in eV, forces in eV/Å. */
export function spreadsheet(candidates: CandidateLine[], preview: Preview | null, members: string[]): string {
  const by = new Map<number, OutcomeView>(preview?.outcomes.map((one) => [one.candidate, one]));
  const names = ["candidate", "rank", "site", "mean_eV", "std_eV", "range_eV", "relative_eV", "n", "passes", "verdict", "found_by", "walker", "hop", "fmax_eV_per_A", "converged", "anomalies", "duplicate_of"];
  const rows = candidates.map((one): Cell[] => {
    const judged = by.get(one.id);
    return [
      one.id, judged?.rank, one.site, judged?.mean, judged?.std, judged?.range, judged?.relative, judged?.n, judged?.passes, judged?.verdict,
      one.member, one.walker, one.hop, one.fmax, one.converged, one.anomalies.join(" "), one.duplicate_of,
      ...members.map((member) => one.energies[member]),
    ];
  });
  return [[...names, ...members.map((member) => `${member}_eV`)], ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** Quoted, and never a formula to the program that opens it. */
function cell(value: Cell): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const plain = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
