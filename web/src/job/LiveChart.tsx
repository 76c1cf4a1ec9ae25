import { useEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { CandidateLine, JobView } from "../api/schema";
import { eV } from "../words";
import { colorNow, memberColorNow, membersOf } from "./colors";
import { traces, type Trace } from "./trace";

const HEIGHT = 220;

export function LiveChart({ job, candidates }: { job: JobView; candidates: CandidateLine[] }) {
  const box = useRef<HTMLDivElement>(null);
  const all = useMemo(() => traces(candidates), [candidates]);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let plot = made(element, job, all);
    const again = () => {
      plot.destroy();
      plot = made(element, job, all);
    };
    const seen = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    seen.observe(element);
    const theme = new MutationObserver(again);
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", again);
    return () => {
      seen.disconnect();
      theme.disconnect();
      scheme.removeEventListener("change", again);
      plot.destroy();
    };
  }, [all]);
  const words = all.map((one) => `${one.member}: ${eV(one.best.at(-1))} eV after ${one.calls.at(-1)} force calls`).join("; ");
  return (
    <section class="card" aria-labelledby="chart-title">
      <h2 id="chart-title">Search <small>lowest sound minimum so far, by member</small></h2>
      <div ref={box} class="chart" role="img" aria-label={`Best energy against force calls. ${words}`} />
    </section>
  );
}

function made(element: HTMLElement, job: JobView, all: Trace[]): uPlot {
  const members = membersOf(job);
  const ink = colorNow("--muted");
  const grid = { stroke: colorNow("--line"), width: 1 };
  const font = "11px system-ui, sans-serif";
  const axis = { stroke: ink, grid, ticks: grid, font, labelFont: font };
  const adsorption = all.every((one) => one.adsorption);
  const data = joined(all);
  const last = data.map(lastOf);
  return new uPlot(
    {
      width: element.clientWidth,
      height: HEIGHT,
      scales: { x: { time: false } },
      cursor: { points: { size: 6 }, drag: { x: true, y: false } },
      legend: { live: true },
      // where nobody points at the chart, its legend tells what there is by now
      hooks: { ready: [(plot) => plot.setLegend({ idxs: last })], setCursor: [(plot) => plot.cursor.idx == null && plot.setLegend({ idxs: last })] },
      axes: [
        { ...axis, label: "force calls", labelSize: 18, size: 34 },
        { ...axis, label: adsorption ? "adsorption energy, eV" : "above the member's lowest, eV", labelSize: 18, size: 52, values: (_, ticks) => ticks.map((tick) => eV(tick, 2)) },
      ],
      series: [
        { label: "force calls" },
        ...all.map((one) => ({
          label: one.member,
          stroke: memberColorNow(members, one.member),
          width: 1.75,
          paths: uPlot.paths.stepped!({ align: 1 }),
          points: { show: false },
          value: (_: uPlot, value: number | null) => `${eV(value)} eV`,
        })),
      ],
    },
    data,
    element,
  );
}

function lastOf(column: ArrayLike<number | null | undefined>): number {
  let at = column.length - 1;
  while (at > 0 && (column[at] === null || column[at] === undefined)) at -= 1;
  return at;
}

/** One x axis for all members; each is drawn through the points of the others. */
function joined(all: Trace[]): uPlot.AlignedData {
  const calls = [...new Set(all.flatMap((one) => one.calls))].sort((one, other) => one - other);
  const columns = all.map((one) => {
    let at = 0;
    const last = one.calls.at(-1)!;
    return calls.map((call) => {
      while (at + 1 < one.calls.length && one.calls[at + 1]! <= call) at += 1;
      return call > last ? null : one.best[at]!;
    });
  });
  return [calls, ...columns];
}
