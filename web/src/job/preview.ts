// What other rules would choose, by the server: the same judge as the job's own choice, asked again at each move.
import { useEffect, useRef, useState } from "preact/hooks";
import { send } from "../api/client";
import type { Preview, SelectionRequest } from "../api/schema";
import { said, useSettled } from "../hooks";

const SETTLED_MS = 70;

export type Asked = Partial<SelectionRequest>;

export function usePreview(id: string, there: boolean) {
  const [asked, ask] = useState<Asked>({});
  const [preview, set] = useState<Preview | null>(null);
  const [error, setError] = useState<string | null>(null);
  const settled = useSettled(asked, SETTLED_MS);
  const number = useRef(0);
  useEffect(() => {
    if (!there) return;
    number.current += 1;
    const mine = number.current;
    send<Preview>("POST", `v1/jobs/${id}/selections:preview`, settled).then(
      (found) => {
        if (mine === number.current) {
          set(found);
          setError(null);
        }
      },
      (refused) => mine === number.current && setError(said(refused)),
    );
  }, [id, there, JSON.stringify(settled)]);
  return { preview, asked, ask, error };
}
