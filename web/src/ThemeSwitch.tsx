import { useState } from "preact/hooks";

const KEPT = "adhop-theme";
type Theme = "auto" | "light" | "dark";

function show(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function kept(): Theme {
  const found = localStorage.getItem(KEPT);
  return found === "light" || found === "dark" ? found : "auto";
}

show(kept());

export function ThemeSwitch() {
  const [theme, set] = useState<Theme>(kept());
  const next: Theme = theme === "auto" ? "dark" : theme === "dark" ? "light" : "auto";
  const change = () => {
    localStorage.setItem(KEPT, next);
    show(next);
    set(next);
  };
  return (
    <button class="quiet" onClick={change} title={`Colours: ${theme}. Click for ${next}.`} aria-label={`Colours: ${theme}; change to ${next}`}>
      {theme === "auto" ? "◐" : theme === "dark" ? "●" : "○"}
    </button>
  );
}
