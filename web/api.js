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
    const at = Date.parse(answer.headers.get("Date")) || Date.now();
    if (answer.status === 304) return { etag, after, at };
    if (!answer.ok && !isRefusal(answer)) throw new Unavailable(`status ${answer.status}`, { after });
    const content = await answer.json();
    if (!answer.ok) throw new Refusal(answer.status, content);
    return { content, etag, after, at };
  } catch (error) {
    if (error instanceof Refusal || error instanceof Unavailable) throw error;
    throw new Unavailable("no usable answer", { cause: error });
  }
}

// A firewall or a hotel's network may answer in the service's place, and not as it does. That says nothing of an
// order, or of a token.
const isRefusal = ({ status, headers }) =>
  status < 500 && status !== 408 && status !== 429 && headers.get("Content-Type")?.startsWith("application/problem+json");

/** The seconds of a `Retry-After`, in milliseconds; undefined without one. */
const milliseconds = (seconds) => (/^\d+$/.test(seconds ?? "") ? Number(seconds) * 1_000 : undefined);

const bookingPath = (id) => `bookings/${encodeURIComponent(id)}`;

const authorized = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

export const cancel = (id, token) => call("DELETE", bookingPath(id), { headers: authorized(token) });

/**
 * Books. The same key and body are booked once, however often they are sent. A `Refusal` is final: nothing was
 * booked. After any other error it may have been.
 */
export async function book({ key, body }) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  return (await call("POST", "bookings", { headers, body })).content;
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
 * hidden. `fresh` is the booking if it was just made. Without its `token` it has no passenger. `onTime` is called
 * with the server's time, in milliseconds, of each answer. Rejects only with a `Refusal`.
 */
export async function watch(id, signal, { token, fresh, onBooking, onTrouble, onTime = () => {} }) {
  let etag = null;
  let retry = FIRST_RETRY_MS;
  if (fresh) await pause(FIRST_RETRY_MS, signal);
  while (!signal.aborted) {
    const answer = await poll(id, token, etag);
    if (signal.aborted) return;
    const lost = answer instanceof Unavailable;
    onTrouble(lost);
    if (!lost) onTime(answer.at);
    if (answer.content) onBooking(answer.content);
    if (answer.content?.settled) return;
    etag = answer.etag ?? etag;
    retry = lost ? Math.min(retry * 2, SLOW_MS) : FIRST_RETRY_MS;
    await pause(answer.after ?? retry, signal);
    await shown(signal);
  }
}

/** The booking if it has changed since `etag`; `Unavailable` without a usable answer. */
async function poll(id, token, etag) {
  const headers = { ...authorized(token), ...(etag && { "If-None-Match": etag }) };
  try {
    return await call("GET", bookingPath(id), { headers });
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
