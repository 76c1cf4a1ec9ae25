import { send } from "../api/client";
import type { ApiReferencesRoutesReferenceView as ReferenceView, MeView, ReferencePage } from "../api/schema";
import { said, useGet } from "../hooks";
import { Failed } from "../parts/basics";
import { notify } from "../parts/Notices";
import { Scroll } from "../parts/Scroll";

export function References({ me }: { me: MeView }) {
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
        <Scroll label="Failed references">
          <table>
            <thead><tr><th scope="col">Reference</th><th scope="col">Member</th><th scope="col">Why</th><th scope="col" class="n">Jobs</th><th scope="col">Again</th></tr></thead>
            <tbody>
              {found.data?.references.map((one) => (
                <tr key={one.id}><th scope="row">{one.label}</th><td>{one.member}</td><td class="across">{one.failure?.reason}</td><td class="n">{one.jobs}</td><td class="across">{one.retry} {me.role !== "read" && <button onClick={() => void retry(one)}>Try again</button>}</td></tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}
