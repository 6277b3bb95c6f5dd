// The operator's API over HTTP. Every URL is relative.

import { sentence } from "../formats.js";

/** The slowest answer but those that are of `PATIENCE_MS` is the chain's: it gives up a link after 5 s. */
const TIMEOUT_MS = 30_000;

/** For what may read everything, redrives many letters one after another, or waits until a service is switched. */
export const PATIENCE_MS = 600_000;

const UNREACHABLE = "The server does not answer. You can try again.";

/** An answer other than success, or none. The message is a sentence for the operator; `status` is 0 without an answer. */
export class Failure extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/**
 * Sends a request and reads its JSON, within `timeout` milliseconds. `body` is sent as JSON, with further `headers`.
 * Rejects only with a `Failure`.
 */
export async function call(method, path, body, { headers = {}, timeout = TIMEOUT_MS } = {}) {
  const json = body === undefined ? {} : { headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) };
  let answer;
  let content;
  try {
    answer = await fetch(path, { method, cache: "no-store", signal: AbortSignal.timeout(timeout), ...json });
    content = await answer.json();
  } catch {
    throw new Failure(UNREACHABLE, answer && !answer.ok ? answer.status : 0);
  }
  if (!answer.ok) throw new Failure(sentence(content.detail ?? `the server answered ${answer.status}`), answer.status);
  return content;
}

export const get = (path, options) => call("GET", path, undefined, options);

/** The items of a paged answer until one that `ends`, at most `most`. */
export async function pages(path, { ends = () => false, most = 2_000 } = {}) {
  const items = [];
  let after = "";
  for (;;) {
    const page = await get(`${path}?limit=500${after}`);
    for (const item of page.items) {
      if (ends(item)) return items;
      items.push(item);
    }
    if (!page.next || items.length >= most) return items;
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}
