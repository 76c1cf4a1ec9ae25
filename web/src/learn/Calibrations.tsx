import { useState } from "preact/hooks";
import { send } from "../api/client";
import type { CalibrationList, CalibrationView, MeView } from "../api/schema";
import { act } from "../admin/act";
import type { Loaded } from "../hooks";
import { SPREADS } from "../job/spreads";
import { Ask } from "../parts/Ask";
import { Failed } from "../parts/basics";
import { Scroll } from "../parts/Scroll";
import { count, eV, moment } from "../words";
import { reportOf } from "./report";

type What = "publish" | "withdraw" | "delete";
const STANDING: Record<CalibrationView["state"], [string, string]> = { proposed: ["proposal", ""], published: ["in force", "succeeded"], withdrawn: ["withdrawn", "cancelled"] };

export function Calibrations({ me, found }: { me: MeView; found: Loaded<CalibrationList> }) {
  const [asked, ask] = useState<{ what: What; one: CalibrationView } | null>(null);
  const all = found.data?.calibrations ?? [];
  const doIt = async ({ what, one }: { what: What; one: CalibrationView }) => {
    const done = { publish: "is in force", withdraw: "is withdrawn", delete: "is deleted" }[what];
    await act(what === "delete" ? send("DELETE", `v1/calibrations/${one.number}`) : send("POST", `v1/calibrations/${one.number}/${what}`), `calibration ${one.number} ${done}`);
    await found.reload();
  };
  return (
    <section class="card" aria-labelledby="calibrations-title">
      <h2 id="calibrations-title">Calibrations <small>limits that were learned</small></h2>
      <Failed error={found.error} />
      {found.data && all.length === 0 && <p class="muted">None yet.</p>}
      {all.length > 0 && (
        <Scroll label="Calibrations">
          <table class="calibrations numbered">
            <thead><tr><th scope="col" class="n">No.</th><th scope="col">Standing</th><th scope="col">Members, spread, labels</th><th scope="col" class="n">Limit <small>eV</small></th><th scope="col">What speaks for it</th><th scope="col">By</th><th scope="col"><span class="unseen">Change</span></th></tr></thead>
            <tbody>{all.map((one) => <Line key={one.number} one={one} me={me} ask={(what) => ask({ what, one })} />)}</tbody>
          </table>
        </Scroll>
      )}
      {asked && (
        <Ask title={`${{ publish: "Publish", withdraw: "Withdraw", delete: "Delete" }[asked.what]} calibration ${asked.one.number}?`} act={{ publish: "Put it in force", withdraw: "Withdraw it", delete: "Delete it" }[asked.what]} danger={asked.what !== "publish"} onClose={() => ask(null)} onAct={() => void doIt(asked)}>
          <p>{WHAT[asked.what]}</p>
        </Ask>
      )}
    </section>
  );
}

const WHAT: Record<What, string> = {
  publish: "Jobs and selections that ask for a calibrated limit from now on get this one. The one in force for the same members is withdrawn.",
  withdraw: "No calibrated limit is in force for these members then. Jobs submitted under it choose by it still.",
  delete: "It goes for good. One that something was chosen by can't be deleted.",
};

function Line({ one, me, ask }: { one: CalibrationView; me: MeView; ask: (what: What) => void }) {
  const [words, look] = STANDING[one.state];
  const admin = me.role === "admin";
  return (
    <tr>
      <th scope="row" class="n">{one.number}</th>
      <td><span class={`chip ${look}`}>{words}</span>{one.successor !== null && <div class="muted small">in its place: {one.successor}</div>}</td>
      <td class="two">{one.members.join(", ")}<div class="muted small">{SPREADS[one.spread].label}, against {one.functional}; {one.scale}</div></td>
      <td class="n"><b>{one.limit === null ? "none" : eV(one.limit)}</b></td>
      <td class="small two">{reportOf(one).map((line) => <div key={line}>{line}</div>)}<div class="muted">{count(one.learned_from.candidates)} candidates of {count(one.learned_from.systems)} jobs{one.learned_from.deleted_since > 0 && `, ${one.learned_from.deleted_since} gone since`}</div></td>
      <td class="small across">{one.author ?? "–"}<div class="muted nowrap">{moment(one.created_at)}</div>{one.publisher && <div class="muted">published by {one.publisher}</div>}</td>
      <td class="n nowrap across">
        {admin && one.state !== "published" && one.limit !== null && <button aria-label={`Publish calibration ${one.number}`} onClick={() => ask("publish")}>Publish</button>}
        {admin && one.state === "published" && <button aria-label={`Withdraw calibration ${one.number}`} onClick={() => ask("withdraw")}>Withdraw</button>}
        {one.state === "proposed" && (admin || one.author === me.name) && <button aria-label={`Delete calibration ${one.number}`} onClick={() => ask("delete")}>Delete</button>}
      </td>
    </tr>
  );
}
