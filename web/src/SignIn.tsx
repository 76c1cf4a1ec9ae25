import { useEffect, useRef, useState } from "preact/hooks";
import { signIn } from "./api/client";
import { said } from "./hooks";

interface Props {
  /** Token of a sign-in link that opened the page. */
  link: string | null;
  onSignedIn: () => Promise<void>;
  onGivenUp: () => void;
}

export function SignIn({ link, onSignedIn, onGivenUp }: Props) {
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const enter = async (secret: string) => {
    setBusy(true);
    setError("");
    try {
      await signIn(secret);
      await onSignedIn();
    } catch (refused) {
      setError(said(refused));
      setBusy(false);
      if (link) onGivenUp();
    }
  };
  useEffect(() => {
    if (link) void enter(link);
    else field.current?.focus();
  }, [link]);
  return (
    <main class="sign-in">
      <h1>Adhop</h1>
      <p class="muted">Adsorption energies by constrained minima hopping, with an ensemble of machine-learned potentials.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void enter(field.current?.value.trim() ?? "");
        }}
      >
        <label for="key" class="above">API key</label>
        <input id="key" ref={field} type="password" autocomplete="current-password" placeholder="adhop_…" spellcheck={false} required />
        {error && <p class="callout bad" role="alert">{error}</p>}
        <button class="main" disabled={busy}>{busy ? "Signing in…" : "Sign in"}</button>
      </form>
      <p class="muted small">Your administrator gives you a key. It is sent once; this browser keeps a session that ends by itself.</p>
    </main>
  );
}
