import { useState } from "preact/hooks";

/** A key that was just made: the only time that it is seen. */
export function NewKey({ secret, whose, onClose }: { secret: string; whose: string; onClose: () => void }) {
  const [copied, setCopied] = useState(false);
  const copy = () => navigator.clipboard?.writeText(secret).then(() => setCopied(true), () => setCopied(false));
  return (
    <div class="callout new-key" role="status">
      <b>The new key of {whose}.</b> It is shown this once: hand it over safely.
      <div class="row"><code>{secret}</code> {window.isSecureContext && <button onClick={() => void copy()}>{copied ? "Copied" : "Copy"}</button>} <button onClick={onClose}>Done</button></div>
    </div>
  );
}
