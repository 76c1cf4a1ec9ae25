// Requests to the server that this page came from. What it answers is data: it is shown as text, never as HTML.

/** A refusal, in the server's words: `detail` says what to change, `field` where. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly field: string | null,
  ) {
    super(detail);
  }
}

/** Of an address; a list is one name several times. */
export type Query = Record<string, string | number | boolean | null | undefined | string[]>;

let signedOut: () => void = () => {};

/** What to do when the server doesn't know this browser any more. */
export function onSignedOut(then: () => void): void {
  signedOut = then;
}

/** Address of a path such as `v1/jobs`, wherever the page is served. */
export function address(path: string, query: Query = {}): string {
  const url = new URL(path, document.baseURI.split("#")[0]);
  for (const [name, value] of Object.entries(query))
    for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, String(one));
  return url.href;
}

async function refusal(answer: Response): Promise<Refusal> {
  try {
    const problem = await answer.json();
    return new Refusal(answer.status, String(problem.detail ?? answer.statusText), problem.field ?? null);
  } catch {
    return new Refusal(answer.status, `the server answered ${answer.status} ${answer.statusText}`, null);
  }
}

async function ask(method: string, url: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  // who signs out, cancels or deletes and leaves at once has done it
  const keepalive = method === "DELETE";
  const sent: RequestInit = { method, headers: { "X-Adhop-Page": "1", ...headers }, credentials: "same-origin", keepalive };
  if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers = { ...sent.headers, "Content-Type": "application/json" };
  }
  let answer: Response;
  try {
    answer = await fetch(url, sent);
  } catch {
    throw new Refusal(0, "the server can't be reached just now", null);
  }
  if (!answer.ok) {
    const said = await refusal(answer);
    if (answer.status === 401) signedOut();
    throw said;
  }
  return answer;
}

export async function get<T>(path: string, query: Query = {}): Promise<T> {
  return (await ask("GET", address(path, query))).json();
}

export async function getText(url: string): Promise<{ text: string; next: string | null }> {
  const answer = await ask("GET", url);
  const link = /<([^>]+)>; rel="next"/.exec(answer.headers.get("Link") ?? "");
  return { text: await answer.text(), next: link?.[1] ?? null };
}

export async function send<T>(method: "POST" | "PATCH" | "DELETE" | "PUT", path: string, body?: unknown, query: Query = {}): Promise<T> {
  const answer = await ask(method, address(path, query), body);
  return answer.status === 204 ? (undefined as T) : answer.json();
}

/** Open a session with a key, or with the token of a sign-in link. */
export async function signIn(secret: string): Promise<void> {
  await ask("POST", address("v1/session"), undefined, { Authorization: `Bearer ${secret}` });
}

export async function signOut(): Promise<void> {
  await ask("DELETE", address("v1/session"));
}
