import { said } from "../hooks";
import { notify } from "../parts/Notices";

/** Do something, say so, or why not; whether it was done. */
export async function act(what: Promise<unknown>, done: string): Promise<boolean> {
  try {
    await what;
  } catch (error) {
    notify(said(error), "bad");
    return false;
  }
  notify(done);
  return true;
}
