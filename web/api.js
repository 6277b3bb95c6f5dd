// The API over HTTP. Every URL is relative, so that the page works under an API stage
// such as /prod/ too.

import { sentence } from "./formats.js";

const TIMEOUT_MS = 15_000;
const FIRST_RETRY_MS = 1_000;
const SLOW_MS = 4_000;

/** The server refused the request. It refuses the same request every time. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(sentence(problem.detail ?? "the booking service refused this request"));
    this.status = status;
    this.errors = problem.errors ?? [];
  }
}

/** No usable answer: the network, a timeout, or a server error. A retry may succeed, `after` that many milliseconds. */
class Unavailable extends Error {
  constructor(text, { after, cause } = {}) {
    super(text, { cause });
    this.after = after;
  }
}

async function call(method, path, options = {}) {
  try {
    const answer = await fetch(path, { method, signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
    const etag = answer.headers.get("ETag");
    const after = milliseconds(answer.headers.get("Retry-After"));
    if (answer.status === 304) return { etag, after };
    if (answer.status === 429 || answer.status >= 500) throw new Unavailable(`status ${answer.status}`, { after });
    const content = await answer.json();
    if (!answer.ok) throw new Refusal(answer.status, content);
    return { content, etag, after };
  } catch (error) {
    if (error instanceof Refusal || error instanceof Unavailable) throw error;
    throw new Unavailable("no usable answer", { cause: error });
  }
}

/** The seconds of a `Retry-After`, in milliseconds; undefined without one. */
const milliseconds = (seconds) => (/^\d+$/.test(seconds ?? "") ? Number(seconds) * 1_000 : undefined);

const bookingPath = (id) => `bookings/${encodeURIComponent(id)}`;

export const cancel = (id) => call("DELETE", bookingPath(id));

// The last order without an answer. A retry of the same order keeps its idempotency key, so that an
// order whose answer was lost is not booked twice.
let unanswered = null;

export async function book(order) {
  const body = JSON.stringify(order);
  if (unanswered?.body !== body) unanswered = { body, key: freshKey() };
  const headers = { "Content-Type": "application/json", "Idempotency-Key": unanswered.key };
  try {
    const { content } = await call("POST", "bookings", { headers, body });
    unanswered = null;
    return content;
  } catch (error) {
    if (error instanceof Refusal) unanswered = null;
    throw error;
  }
}

// Not crypto.randomUUID alone: browsers do not offer it on plain-http hosts.
function freshKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The flights. Retries until there is an answer; `onTrouble(true)` while there is none. */
export async function flights(signal, onTrouble = () => {}) {
  while (!signal.aborted) {
    try {
      const { content } = await call("GET", "flights");
      onTrouble(false);
      return content;
    } catch {
      onTrouble(true);
    }
    await pause(SLOW_MS, signal);
  }
  return [];
}

/**
 * Polls a booking until it is settled or `signal` aborts: when the server says, and not while the page is
 * hidden. `fresh` is the booking if it was just made. Rejects only with a `Refusal`.
 */
export async function watch(id, signal, { fresh, onBooking, onTrouble }) {
  let etag = null;
  let retry = FIRST_RETRY_MS;
  if (fresh) await pause(FIRST_RETRY_MS, signal);
  while (!signal.aborted) {
    const answer = await poll(id, etag);
    if (signal.aborted) return;
    const lost = answer instanceof Unavailable;
    onTrouble(lost);
    if (answer.content) onBooking(answer.content);
    if (answer.content?.settled) return;
    etag = answer.etag ?? etag;
    retry = lost ? Math.min(retry * 2, SLOW_MS) : FIRST_RETRY_MS;
    await pause(answer.after ?? retry, signal);
    await shown(signal);
  }
}

/** The booking if it has changed since `etag`; `Unavailable` without a usable answer. */
async function poll(id, etag) {
  try {
    return await call("GET", bookingPath(id), { headers: etag ? { "If-None-Match": etag } : {} });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    return error;
  }
}

/** Ends early when the network is back, so that the next request is sent at once. */
const pause = (milliseconds, signal) => first(signal, window, "online", milliseconds);

const shown = (signal) => (document.hidden ? first(signal, document, "visibilitychange") : undefined);

/** Resolves at the event, the abort, or the end of the time if one is given; removes its listeners. */
function first(signal, target, event, milliseconds) {
  return new Promise((resolve) => {
    const over = new AbortController();
    const end = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = milliseconds && setTimeout(end, milliseconds);
    target.addEventListener(event, end, { signal: over.signal });
    signal.addEventListener("abort", end, { signal: over.signal });
  });
}
