import { useState } from "preact/hooks";
import { Refusal, get, send } from "../api/client";
import type { GroupList, GroupView, UserPage } from "../api/schema";
import { useGet } from "../hooks";
import { Ask } from "../parts/Ask";
import { Failed } from "../parts/basics";
import { act } from "./act";

export function Groups() {
  const found = useGet<GroupList>("v1/groups");
  const [name, setName] = useState("");
  const make = async (event: SubmitEvent) => {
    event.preventDefault();
    if (await act(send("POST", "v1/groups", { name: name.trim() }), `group ${name.trim()} is there`)) setName("");
    await found.reload();
  };
  return (
    <section class="card" aria-labelledby="groups-title">
      <h2 id="groups-title">Groups <small>their members read the jobs that are shared with them</small></h2>
      <Failed error={found.error} />
      {found.data?.groups.length === 0 && <p class="muted">None.</p>}
      {found.data?.groups.map((one) => <Group key={one.id} one={one} onDone={found.reload} />)}
      <form class="fields new-user" onSubmit={make}>
        <label>New group<input value={name} maxLength={200} placeholder="name" required onInput={(event) => setName(event.currentTarget.value)} /></label>
        <button disabled={!name.trim()}>Create</button>
      </form>
    </section>
  );
}

function Group({ one, onDone }: { one: GroupView; onDone: () => Promise<void> }) {
  const [joining, setJoining] = useState("");
  const [asking, ask] = useState(false);
  const join = async (event: SubmitEvent) => {
    event.preventDefault();
    const name = joining.trim();
    if (await act(userOf(name).then((id) => send("PUT", `v1/groups/${one.id}/members/${id}`)), `${name} is in ${one.name}`)) setJoining("");
    await onDone();
  };
  const leave = async (name: string) => {
    await act(userOf(name).then((id) => send("DELETE", `v1/groups/${one.id}/members/${id}`)), `${name} is out of ${one.name}`);
    await onDone();
  };
  const end = async () => {
    await act(send("DELETE", `v1/groups/${one.id}`), `group ${one.name} is ended`);
    await onDone();
  };
  return (
    <div class="group-of row">
      <b>{one.name}</b>
      {one.members.map((name) => <span key={name} class="chip">{name} <button class="quiet" aria-label={`Take ${name} out of ${one.name}`} onClick={() => void leave(name)}>×</button></span>)}
      <form class="row" onSubmit={join}>
        <input aria-label={`User to join ${one.name}`} placeholder="user" value={joining} onInput={(event) => setJoining(event.currentTarget.value)} />
        <button disabled={!joining.trim()}>Join</button>
      </form>
      <button class="push" aria-label={`End group ${one.name}`} onClick={() => ask(true)}>End</button>
      {asking && <Ask title={`End group ${one.name}?`} act="End it" danger onAct={() => void end()} onClose={() => ask(false)}><p>What was shared with it is its owners' alone again.</p></Ask>}
    </div>
  );
}

/** Raises a refusal for a name that nobody has. */
async function userOf(name: string): Promise<number> {
  const [found] = (await get<UserPage>("v1/users", { name })).users;
  if (!found) throw new Refusal(404, `there is no user ${name}`, null);
  return found.id;
}
