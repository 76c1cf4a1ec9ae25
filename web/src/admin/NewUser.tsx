import { useState } from "preact/hooks";
import { send } from "../api/client";
import type { NewUserView, Role } from "../api/schema";
import { said } from "../hooks";
import { Failed } from "../parts/basics";
import { RoleField } from "./Keys";
import { NewKey } from "./NewKey";

/** A new user, with a first key. */
export function NewUser({ onMade }: { onMade: () => Promise<void> }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("submit");
  const [made, setMade] = useState<NewUserView | null>(null);
  const [error, setError] = useState<string | null>(null);
  const make = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      setMade(await send<NewUserView>("POST", "v1/users", { name: name.trim(), key: { role } }));
      setName("");
      setError(null);
      await onMade();
    } catch (refused) {
      setError(said(refused));
    }
  };
  return (
    <>
      <form class="fields new-user" onSubmit={make}>
        <label>New user<input value={name} maxLength={200} placeholder="name" required onInput={(event) => setName(event.currentTarget.value)} /></label>
        <RoleField role={role} set={setRole} />
        <button disabled={!name.trim()}>Create with a key</button>
      </form>
      <Failed error={error} />
      {made && <NewKey secret={made.key.key} whose={made.name} onClose={() => setMade(null)} />}
    </>
  );
}
