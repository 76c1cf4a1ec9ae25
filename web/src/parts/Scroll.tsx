// A table that is wider than its page scrolls; on a phone its lines stand one below the other, each cell under its heading.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Props {
  label: string;
  /** It has a height of its own, and scrolls within. */
  tall?: boolean;
  children: ComponentChildren;
}

export function Scroll({ label, tall = false, children }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => box.current?.querySelectorAll("table").forEach(nameCells));
  return <div ref={box} class={tall ? "scroll stacks tall" : "scroll stacks"} tabIndex={0} role="region" aria-label={label}>{children}</div>;
}

/** The style sheet writes a cell's heading before it where the head of the table isn't seen. */
function nameCells(table: HTMLTableElement): void {
  const heads = [...(table.tHead?.rows[0]?.cells ?? [])].map((head) => (head.querySelector(".unseen") ? "" : head.textContent));
  for (const body of table.tBodies)
    for (const row of body.rows)
      if (row.cells.length === heads.length) [...row.cells].forEach((cell, at) => heads[at] && (cell.dataset.label = heads[at]));
}
