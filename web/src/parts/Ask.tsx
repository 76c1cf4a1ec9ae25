// A question before something that can't be taken back.
import { useEffect, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";

interface Props {
  title: string;
  act: string;
  onAct: () => void;
  onClose: () => void;
  danger?: boolean;
  children: ComponentChildren;
}

export function Ask({ title, act, onAct, onClose, danger = false, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="ask-title" onClose={onClose}>
      <h2 id="ask-title">{title}</h2>
      {children}
      <div class="row end">
        <button onClick={() => dialog.current?.close()}>Keep as it is</button>
        <button
          class={danger ? "main danger" : "main"}
          onClick={() => {
            onAct();
            dialog.current?.close();
          }}
        >
          {act}
        </button>
      </div>
    </dialog>
  );
}
