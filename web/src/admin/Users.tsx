import { useState } from "preact/hooks";
import { send } from "../api/client";
import type { ChangedUserView, MeView, UserPage, UserView } from "../api/schema";
import { useGet } from "../hooks";
import { Ask } from "../parts/Ask";
import { Failed } from "../parts/basics";
import { Scroll } from "../parts/Scroll";
import { ago, bytes, count, moment } from "../words";
import { act } from "./act";
import { Keys } from "./Keys";
import { NewUser } from "./NewUser";
import { Quotas } from "./Quotas";

export function Users({ me }: { me: MeView }) {
  const [cursors, setCursors] = useState<string[]>([]);
  const found = useGet<UserPage>("v1/users", { limit: 50, cursor: cursors.at(-1) });
  const [open, setOpen] = useState<number | null>(null);
  return (
    <section class="card" aria-labelledby="users-title">
      <h2 id="users-title">Users and quotas</h2>
      <Failed error={found.error} />
      <Scroll label="Users">
        <table class="users">
          <thead><tr><th scope="col">User</th><th scope="col">Keys</th><th scope="col">Groups</th><th scope="col" class="n">Open jobs</th><th scope="col" class="n">Force calls of them</th><th scope="col" class="n">Stored</th><th scope="col" class="n">Last here</th><th scope="col"><span class="unseen">Change</span></th></tr></thead>
          <tbody>{found.data?.users.map((one) => <User key={one.id} one={one} me={me} open={open === one.id} turn={() => setOpen(open === one.id ? null : one.id)} onDone={found.reload} />)}</tbody>
        </table>
      </Scroll>
      {(cursors.length > 0 || found.data?.next) && (
        <div class="row end pager">
          <button disabled={!cursors.length} onClick={() => setCursors(cursors.slice(0, -1))}>Earlier</button>
          <button disabled={!found.data?.next} onClick={() => setCursors([...cursors, found.data!.next!])}>Later</button>
        </div>
      )}
      <NewUser onMade={found.reload} />
    </section>
  );
}

interface UserProps {
  one: UserView;
  me: MeView;
  open: boolean;
  turn: () => void;
  onDone: () => Promise<void>;
}

function User({ one, me, open, turn, onDone }: UserProps) {
  const [asking, ask] = useState(false);
  const disable = async (disabled: boolean) => {
    await act(send<ChangedUserView>("PATCH", `v1/users/${one.id}`, { disabled }), `${one.name} is ${disabled ? "disabled" : "enabled"}`);
    await onDone();
  };
  const own = (name: string) => one.limits.own.includes(name) && <span class="tag" title="a limit of their own, in place of the server's">own</span>;
  return (
    <>
      <tr class={open ? "chosen" : ""}>
        <th scope="row">{one.name}{one.disabled_at && <span class="tag bad">disabled {moment(one.disabled_at)}</span>}</th>
        <td>{one.roles.join(", ")}</td><td>{one.groups.join(", ")}</td>
        <td class="n">{count(one.use.open_jobs)} / {count(one.limits.open_jobs)}{own("open_jobs")}</td>
        <td class="n">{count(one.use.open_force_calls)}{one.limits.open_force_calls !== null && ` / ${count(one.limits.open_force_calls)}`}{own("open_force_calls")}</td>
        <td class="n">{bytes(one.use.stored_bytes)}{one.limits.stored_bytes !== null && ` / ${bytes(one.limits.stored_bytes)}`}{own("stored_bytes")}</td>
        <td class="n nowrap">{ago(one.last_used_at)}</td>
        <td class="n nowrap across"><button aria-expanded={open} aria-label={`${open ? "close" : "change"}: keys and quotas of ${one.name}`} onClick={turn}>{open ? "close" : "change"}</button></td>
      </tr>
      {open && (
        <tr class="opened"><td colSpan={8}>
          <div class="in-sight">
            <h3>Keys of {one.name}</h3>
            <Keys at={`v1/users/${one.id}/keys`} mine={me.key} whose={one.name} />
            <h3>Quotas</h3>
            <Quotas key={JSON.stringify(one.limits)} one={one} onDone={onDone} />
            <p>{one.disabled_at ? <button onClick={() => void disable(false)}>Let {one.name} in again</button> : <button onClick={() => ask(true)}>Disable {one.name}</button>}</p>
            {asking && (
              <Ask title={`Disable ${one.name}?`} act="Disable" danger onAct={() => void disable(true)} onClose={() => ask(false)}>
                <p>All their keys stop working at once and their open jobs are cancelled. What they found stays, and they can be let in again.</p>
              </Ask>
            )}
          </div>
        </td></tr>
      )}
    </>
  );
}
