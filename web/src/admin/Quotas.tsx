// A user's own limits; where a field is empty, the server's count.
import { useState } from "preact/hooks";
import { send } from "../api/client";
import type { UserView } from "../api/schema";
import { count } from "../words";
import { act } from "./act";

const GB = 1e9;
type Name = "max_open_jobs" | "max_open_force_calls" | "max_bytes" | "max_requests_per_minute";

export function Quotas({ one, onDone }: { one: UserView; onDone: () => Promise<void> }) {
  const { limits } = one;
  const written = (name: string, value: number | null, unit = 1) => (limits.own.includes(name) && value !== null ? String(value / unit) : "");
  const before: Record<Name, string> = {
    max_open_jobs: written("open_jobs", limits.open_jobs),
    max_open_force_calls: written("open_force_calls", limits.open_force_calls),
    max_bytes: written("stored_bytes", limits.stored_bytes, GB),
    max_requests_per_minute: written("requests_per_minute", limits.requests_per_minute),
  };
  const [values, set] = useState(before);
  const changed = (Object.keys(values) as Name[]).filter((name) => values[name] !== before[name]);
  const store = async (event: SubmitEvent) => {
    event.preventDefault();
    const told = Object.fromEntries(changed.map((name) => [name, values[name] === "" ? null : Math.round(Number(values[name]) * (name === "max_bytes" ? GB : 1))]));
    if (await act(send("PATCH", `v1/users/${one.id}`, { limits: told }), `quotas of ${one.name} are stored`)) await onDone();
  };
  const field = (name: Name, label: string, shown: string, least = 0, step: number | "any" = 1) => (
    <label>{label}<input type="number" min={least} step={step} placeholder={shown} value={values[name]} onInput={(event) => set({ ...values, [name]: event.currentTarget.value })} /></label>
  );
  const servers = (name: string, value: number | null, unit = 1) => (limits.own.includes(name) ? "the server's" : value === null ? "none" : count(value / unit));
  return (
    <form class="fields" onSubmit={store}>
      {field("max_open_jobs", "Open jobs", servers("open_jobs", limits.open_jobs))}
      {field("max_open_force_calls", "Force calls of open jobs", servers("open_force_calls", limits.open_force_calls))}
      {field("max_bytes", "Stored, GB", servers("stored_bytes", limits.stored_bytes, GB), 0, "any")}
      {field("max_requests_per_minute", "Requests a minute", servers("requests_per_minute", limits.requests_per_minute), 1)}
      <button disabled={!changed.length}>Store quotas</button>
    </form>
  );
}
