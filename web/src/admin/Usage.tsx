import type { UsageList } from "../api/schema";
import { useGet } from "../hooks";
import { Failed } from "../parts/basics";
import { Scroll } from "../parts/Scroll";
import { bytes, count, duration } from "../words";

export function Usage() {
  const found = useGet<UsageList>("v1/usage");
  return (
    <section class="card" aria-labelledby="usage-title">
      <h2 id="usage-title">Usage by month</h2>
      <Failed error={found.error} />
      {found.data?.usage.length === 0 && <p class="muted">Nothing was used yet.</p>}
      {(found.data?.usage.length ?? 0) > 0 && (
        <Scroll label="Usage">
          <table>
            <thead><tr><th scope="col">Month</th><th scope="col">User</th><th scope="col" class="n">Device time</th><th scope="col" class="n">Force calls</th><th scope="col" class="n">Jobs</th><th scope="col" class="n">Stored now</th></tr></thead>
            <tbody>
              {found.data?.usage.map((one) => (
                <tr key={one.month + one.user}><td>{one.month}</td><th scope="row">{one.user}</th><td class="n">{duration(one.device_s)}</td><td class="n">{count(one.force_calls)}</td><td class="n">{count(one.jobs)}</td><td class="n">{bytes(one.stored_bytes)}</td></tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}
