import type { ModelView } from "../api/schema";
import { Scroll } from "../parts/Scroll";

export function MembersTable({ all }: { all: ModelView[] }) {
  return (
    <section class="card" aria-labelledby="models-title">
      <h2 id="models-title">Members of the ensemble</h2>
      <Scroll label="Members">
        <table class="members">
          <thead><tr><th scope="col">Member</th><th scope="col">Family</th><th scope="col">Energies</th><th scope="col">Trained on</th><th scope="col">Licence</th><th scope="col" class="n">Elements</th><th scope="col" class="n">Workers</th><th scope="col">Used by default to</th></tr></thead>
          <tbody>
            {all.map((one) => (
              <tr key={one.name}>
                <th scope="row">{one.name}</th><td>{one.family}</td><td>{one.energy_kind}</td><td>{one.trained_on}</td><td>{one.license}</td>
                <td class="n" title={one.elements.join(" ")}>{one.elements.length}</td><td class="n">{one.workers}</td>
                <td>{[one.default_search && "search", one.default_score && "score"].filter(Boolean).join(", ") || "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}
