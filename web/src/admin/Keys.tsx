// Keys of a user, or one's own: made, rotated, ended.
import { useState } from "preact/hooks";
import { send } from "../api/client";
import type { KeyList, KeyView, NewKeyView, Role } from "../api/schema";
import { said, useGet } from "../hooks";
import { Ask } from "../parts/Ask";
import { Failed } from "../parts/basics";
import { notify } from "../parts/Notices";
import { Scroll } from "../parts/Scroll";
import { ago, moment } from "../words";
import { act } from "./act";
import { NewKey } from "./NewKey";

interface Props {
  /** Path of the keys: of a user, or one's own. */
  at: string;
  /** Public part of the key that this page is signed in with. */
  mine: string;
  /** Whose they are, where an administrator looks at them; then more may be made. */
  whose?: string;
}

type Asked = { what: "rotate" | "revoke"; one: KeyView } | null;

export function Keys({ at, mine, whose }: Props) {
  const found = useGet<KeyList>(at);
  const [made, setMade] = useState<string | null>(null);
  const [asked, ask] = useState<Asked>(null);
  const rotate = async (one: KeyView) => {
    try {
      setMade((await send<NewKeyView>("POST", `${at}/${one.prefix}/rotate`, one.prefix === mine ? { grace_s: 3600 } : {})).key);
    } catch (error) {
      notify(said(error), "bad");
    }
    await found.reload();
  };
  const revoke = async (one: KeyView) => {
    await act(send("DELETE", `${at}/${one.prefix}`), `key ${one.prefix} is revoked`);
    await found.reload();
  };
  return (
    <>
      <Failed error={found.error} />
      {made && <NewKey secret={made} whose={whose ?? "yours"} onClose={() => setMade(null)} />}
      <Scroll label="Keys">
        <table class="keys">
          <thead><tr><th scope="col">Key</th><th scope="col">May</th><th scope="col">For</th><th scope="col">Last used</th><th scope="col">Until</th><th scope="col"><span class="unseen">Change</span></th></tr></thead>
          <tbody>
            {found.data?.keys.map((one) => (
              <tr key={one.prefix} class={works(one) ? "" : "muted"}>
                <th scope="row"><code>{one.prefix}</code>{one.prefix === mine && <span class="tag">this session</span>}</th>
                <td>{one.role}</td><td>{one.label}</td><td class="nowrap">{one.last_used_at ? ago(one.last_used_at) : "never"}</td><td class="nowrap">{until(one)}</td>
                <td class="across"><div class="row">
                  {works(one) && <button aria-label={`Rotate key ${one.prefix}`} onClick={() => ask({ what: "rotate", one })}>Rotate</button>}
                  {works(one) && <button aria-label={`Revoke key ${one.prefix}`} onClick={() => ask({ what: "revoke", one })}>Revoke</button>}
                </div></td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {whose && <MoreKeys at={at} onMade={async (key) => { setMade(key); await found.reload(); }} />}
      {asked && (
        <Ask title={asked.what === "rotate" ? `A new key in place of ${asked.one.prefix}?` : `Revoke key ${asked.one.prefix}?`} act={asked.what === "rotate" ? "Make it" : "Revoke for good"} danger={asked.what === "revoke"} onClose={() => ask(null)}
          onAct={() => void (asked.what === "rotate" ? rotate(asked.one) : revoke(asked.one))}>
          <p>{asked.what === "revoke" ? "Whatever uses it is refused from now on." : asked.one.prefix === mine ? "The old one works for another hour, and this session with it." : "The old one stops working at once."}{asked.what === "revoke" && asked.one.prefix === mine && " This session ends with it."}</p>
        </Ask>
      )}
    </>
  );
}

function MoreKeys({ at, onMade }: { at: string; onMade: (key: string) => Promise<void> }) {
  const [role, setRole] = useState<Role>("submit");
  const [label, setLabel] = useState("");
  const make = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      const made = await send<NewKeyView>("POST", at, { role, label });
      setLabel("");
      await onMade(made.key);
    } catch (error) {
      notify(said(error), "bad");
    }
  };
  return (
    <form class="fields" onSubmit={make}>
      <RoleField role={role} set={setRole} />
      <label>For<input value={label} maxLength={100} placeholder="notebook, script, …" onInput={(event) => setLabel(event.currentTarget.value)} /></label>
      <button>Make a key</button>
    </form>
  );
}

export function RoleField({ role, set }: { role: Role; set: (role: Role) => void }) {
  return (
    <label>It may
      <select value={role} onChange={(event) => set(event.currentTarget.value as Role)}>
        <option value="submit">submit jobs</option><option value="read">read only</option><option value="admin">administrate</option>
      </select>
    </label>
  );
}

function works(one: KeyView): boolean {
  return one.revoked_at === null && (one.expires_at === null || Date.parse(one.expires_at) > Date.now());
}

function until(one: KeyView): string {
  if (one.revoked_at) return `revoked ${moment(one.revoked_at)}`;
  return one.expires_at ? moment(one.expires_at) : "it is revoked";
}
