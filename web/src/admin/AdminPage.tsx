import { useState } from "preact/hooks";
import type { MeView } from "../api/schema";
import { useGet } from "../hooks";
import { Fact } from "../parts/basics";
import { bytes, count } from "../words";
import { Groups } from "./Groups";
import { Keys } from "./Keys";
import { References } from "./References";
import { Usage } from "./Usage";
import { Users } from "./Users";

export function AdminPage({ me: signedIn }: { me: MeView }) {
  const me = useGet<MeView>("v1/me").data ?? signedIn; // what is used, as it is now
  const [keys, showKeys] = useState(false);
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
        <details onToggle={(event) => showKeys(event.currentTarget.open)}>
          <summary>Your keys</summary>
          {keys && <Keys at="v1/me/keys" mine={me.key} />}
        </details>
      </section>
      {me.role === "admin" && <Users me={me} />}
      {me.role === "admin" && <Groups />}
      <Usage />
      <References me={me} />
    </>
  );
}
