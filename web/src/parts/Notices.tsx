// Short messages that something was done, or why not.
import { useEffect, useState } from "preact/hooks";

type Kind = "good" | "bad";
interface Notice {
  id: number;
  text: string;
  kind: Kind;
}

let tell: (notice: Notice) => void = () => {};
let last = 0;

export function notify(text: string, kind: Kind = "good"): void {
  last += 1;
  tell({ id: last, text, kind });
}

export function Notices() {
  const [shown, set] = useState<Notice[]>([]);
  const drop = (id: number) => set((all) => all.filter((one) => one.id !== id));
  useEffect(() => {
    tell = (notice) => {
      set((all) => [...all.slice(-3), notice]);
      window.setTimeout(() => drop(notice.id), notice.kind === "bad" ? 12000 : 5000);
    };
  }, []);
  return (
    <div class="notices" role="status" aria-live="polite">
      {shown.map((one) => (
        <div key={one.id} class={`notice ${one.kind}`}>
          <span>{one.text}</span>
          <button class="quiet" aria-label="Close this message" onClick={() => drop(one.id)}>×</button>
        </div>
      ))}
    </div>
  );
}
