// How numbers, times and states are written. Every number has its unit.
import type { JobView } from "./api/schema";

const MINUS = "−";

/** Energy in eV with three decimals; an en dash where there is none. */
export function eV(value: number | null | undefined, digits = 3, unit = false): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return value.toFixed(digits).replace("-", MINUS) + (unit ? " eV" : "");
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : value.toLocaleString("en").replaceAll(",", "\u202f");
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${value.toFixed(value < 10 && at > 0 ? 1 : 0)} ${units[at]}`;
}

export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} d`;
}

export function ago(at: string | null | undefined): string {
  return at ? `${duration((Date.now() - Date.parse(at)) / 1000)} ago` : "–";
}

export function moment(at: string | null | undefined): string {
  if (!at) return "–";
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Of something a second or a minute, to two digits. */
export function rate(value: number | null): string {
  if (value === null) return "–";
  return value === 0 ? "0" : value < 10 ? value.toPrecision(2) : count(Math.round(value));
}

export function isOpen(job: JobView): boolean {
  return job.state === "queued" || job.state === "running";
}

/** Of 0 to 1, by hops and then by evaluations. */
export function share(job: JobView): number {
  if (job.state === "succeeded") return 1;
  const { hops, evaluations } = job.progress;
  const searched = hops.most ? hops.done / hops.most : 0;
  const scored = evaluations.total ? evaluations.done / evaluations.total : 0;
  return 0.8 * searched + 0.2 * searched * scored;
}

/** *CO2 with its digits lowered, as text that needs no HTML. */
export function formula(name: string): string {
  const low = "₀₁₂₃₄₅₆₇₈₉";
  return name.replace(/(?<=[A-Za-z)])\d+/g, (digits) => [...digits].map((digit) => low[Number(digit)]).join(""));
}
