import { send } from "../api/client";
import type { ApiReferencesRoutesReferenceView as ReferenceView, MeView, ReferencePage, UsageList, UserPage, UserView } from "../api/schema";
import { said, useGet } from "../hooks";
import { Fact, Failed } from "../parts/basics";
import { notify } from "../parts/Notices";
import { ago, bytes, count, duration, moment } from "../words";

export function AdminPage({ me }: { me: MeView }) {
  return (
    <>
      <h1>{me.role === "admin" ? "Administration" : "Account"}</h1>
      <section class="card" aria-label="You">
        <h2>{me.name} <small>key {me.key}, which may {me.role}</small></h2>
        <dl class="facts line">
          <Fact name="Open jobs">{count(me.use.open_jobs)} <small>of {count(me.limits.open_jobs)}</small></Fact>
          <Fact name="Force calls of open jobs">{count(me.use.open_force_calls)} <small>of {me.limits.open_force_calls === null ? "any number" : count(me.limits.open_force_calls)}</small></Fact>
          <Fact name="Stored">{bytes(me.use.stored_bytes)} <small>of {me.limits.stored_bytes === null ? "any size" : bytes(me.limits.stored_bytes)}</small></Fact>
          <Fact name="Requests a minute"><small>at most</small> {count(me.limits.requests_per_minute)}</Fact>
          <Fact name="Groups">{me.groups.join(", ") || "none"}</Fact>
        </dl>
      </section>
      {me.role === "admin" && <Users />}
      <Usage />
      <References me={me} />
    </>
  );
}

function Users() {
  const found = useGet<UserPage>("v1/users", { limit: 200 });
  return (
    <section class="card" aria-labelledby="users-title">
      <h2 id="users-title">Users and quotas</h2>
      <Failed error={found.error} />
      <div class="scroll" tabIndex={0} role="region" aria-label="Users">
        <table>
          <thead><tr><th scope="col">User</th><th scope="col">Keys</th><th scope="col">Groups</th><th scope="col" class="n">Open jobs</th><th scope="col" class="n">Stored</th><th scope="col" class="n">Last here</th><th scope="col">Change</th></tr></thead>
          <tbody>{found.data?.users.map((one) => <User key={one.id} one={one} onDone={found.reload} />)}</tbody>
        </table>
      </div>
    </section>
  );
}

function User({ one, onDone }: { one: UserView; onDone: () => Promise<void> }) {
  const change = async (disabled: boolean) => {
    try {
      await send("PATCH", `v1/users/${one.id}`, { disabled });
      notify(`${one.name} is ${disabled ? "disabled" : "enabled"}`);
    } catch (error) {
      notify(said(error), "bad");
    }
    await onDone();
  };
  return (
    <tr>
      <th scope="row">{one.name}{one.disabled_at && <span class="tag bad">disabled {moment(one.disabled_at)}</span>}</th>
      <td>{one.roles.join(", ")}</td><td>{one.groups.join(", ")}</td>
      <td class="n">{count(one.use.open_jobs)} / {count(one.limits.open_jobs)}</td>
      <td class="n">{bytes(one.use.stored_bytes)}{one.limits.stored_bytes !== null && ` / ${bytes(one.limits.stored_bytes)}`}</td>
      <td class="n nowrap">{ago(one.last_used_at)}</td>
      <td>{one.disabled_at ? <button onClick={() => void change(false)}>Enable</button> : <button onClick={() => void change(true)} title="Ends all their keys at once and cancels their open jobs">Disable</button>}</td>
    </tr>
  );
}

function Usage() {
  const found = useGet<UsageList>("v1/usage");
  return (
    <section class="card" aria-labelledby="usage-title">
      <h2 id="usage-title">Usage by month</h2>
      <Failed error={found.error} />
      {found.data?.usage.length === 0 && <p class="muted">Nothing was used yet.</p>}
      {(found.data?.usage.length ?? 0) > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Usage">
          <table>
            <thead><tr><th scope="col">Month</th><th scope="col">User</th><th scope="col" class="n">Device time</th><th scope="col" class="n">Force calls</th><th scope="col" class="n">Jobs</th><th scope="col" class="n">Stored now</th></tr></thead>
            <tbody>
              {found.data?.usage.map((one) => (
                <tr key={one.month + one.user}><td>{one.month}</td><th scope="row">{one.user}</th><td class="n">{duration(one.device_s)}</td><td class="n">{count(one.force_calls)}</td><td class="n">{count(one.jobs)}</td><td class="n">{bytes(one.stored_bytes)}</td></tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function References({ me }: { me: MeView }) {
  const found = useGet<ReferencePage>("v1/references", { state: "failed", limit: 100 });
  const retry = async (one: ReferenceView) => {
    try {
      await send("POST", `v1/references/${one.id}/retry`);
      notify(`${one.label} by ${one.member} is tried again`);
    } catch (error) {
      notify(said(error), "bad");
    }
    await found.reload();
  };
  return (
    <section class="card" aria-labelledby="references-title">
      <h2 id="references-title">References that failed <small>jobs that rest on them can't be scored</small></h2>
      <Failed error={found.error} />
      {found.data?.references.length === 0 && <p class="muted">None.</p>}
      {(found.data?.references.length ?? 0) > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Failed references">
          <table>
            <thead><tr><th scope="col">Reference</th><th scope="col">Member</th><th scope="col">Why</th><th scope="col" class="n">Jobs</th><th scope="col">Again</th></tr></thead>
            <tbody>
              {found.data?.references.map((one) => (
                <tr key={one.id}><th scope="row">{one.label}</th><td>{one.member}</td><td>{one.failure?.reason}</td><td class="n">{one.jobs}</td><td>{one.retry} {me.role !== "read" && <button onClick={() => void retry(one)}>Try again</button>}</td></tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
