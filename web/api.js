// The booking desk over HTTP. Every URL is relative, so that the page works under an API stage
// such as /prod/ too.

const PATIENCE_MS = 15_000;
const QUICK_MS = 250;
const SLOW_MS = 4_000;

/** The desk understood and said no; saying the same again does not help. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(sentence(problem.detail ?? "the booking desk refused this request"));
    this.status = status;
    this.errors = problem.errors ?? [];
  }
}

/** No usable answer: the network, a timeout, or a desk in trouble. Worth trying again. */
class Silence extends Error {}

export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

async function call(method, path, options = {}) {
  try {
    const answer = await fetch(path, { method, signal: AbortSignal.timeout(PATIENCE_MS), ...options });
    const etag = answer.headers.get("ETag");
    if (answer.status === 304) return { etag };
    if (answer.status === 429 || answer.status >= 500) throw new Silence(`status ${answer.status}`);
    const content = await answer.json();
    if (!answer.ok) throw new Refusal(answer.status, content);
    return { content, etag };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Silence("no usable answer", { cause: error });
  }
}

const bookingPath = (id) => `bookings/${encodeURIComponent(id)}`;

export const cancel = (id) => call("DELETE", bookingPath(id));

// The last order without an answer. Sent again unchanged it keeps its key, so that an order whose
// answer was lost is found, not bought twice.
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

// Not crypto.randomUUID alone: browsers withhold it from plain-http hosts.
function freshKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The flights, however long it takes; `onTrouble(true)` while the desk cannot be reached. */
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
 * Follows a booking until it is settled or `signal` aborts: often at first and after each change,
 * then ever slower, and not at all while nobody looks. Rejects only with a `Refusal`.
 */
export async function watch(id, signal, { onBooking, onTrouble }) {
  let etag = null;
  let wait = QUICK_MS;
  while (true) {
    const answer = await poll(id, etag);
    if (signal.aborted) return;
    onTrouble(!answer);
    if (answer?.content) onBooking(answer.content);
    if (answer?.content?.settled) return;
    etag = answer?.etag ?? etag;
    wait = answer?.content ? QUICK_MS : Math.min(wait * 1.25, SLOW_MS);
    await pause(wait, signal);
    await shown(signal);
  }
}

/** The booking if it is not the one `etag` names; nothing at all while the desk is silent. */
async function poll(id, etag) {
  try {
    return await call("GET", bookingPath(id), { headers: etag ? { "If-None-Match": etag } : {} });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    return null;
  }
}

/** Ends early when the network comes back, so that trouble is not shown longer than it lasts. */
const pause = (milliseconds, signal) => first(signal, window, "online", milliseconds);

const shown = (signal) => (document.hidden ? first(signal, document, "visibilitychange") : undefined);

/** Resolves at the event, the abort, or the end of the time if there is one; leaves no listener. */
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
