// What a calibration's report says, in words. It is a document whose parts older servers may lack.
import type { CalibrationView } from "../api/schema";
import { eV } from "../words";

interface Share { hits?: number; count?: number }
interface Report {
  target?: { share?: number; error?: number };
  kept?: Share;
  within?: Share;
  held_out?: { halves?: number; learned?: number; kept?: number };
}

export function reportOf(one: CalibrationView): string[] {
  const { target, kept, within, held_out: check } = one.report as Report;
  const lines: string[] = [];
  if (target?.share !== undefined && target.error !== undefined) lines.push(`promise: ${percent(target.share)} within ${eV(target.error, 2)} eV`);
  if (one.limit !== null && kept?.count && within?.count) lines.push(`kept ${shareOf(kept)}, of which ${shareOf(within)} are`);
  if (check?.learned) lines.push(`kept on ${check.kept} of ${check.learned} held-out halves`);
  return lines;
}

function shareOf({ hits = 0, count = 1 }: Share): string {
  return percent(hits / count);
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
