// A page asks for its booking when the server says.

import assert from "node:assert/strict";
import { test } from "node:test";

import { watch } from "../api.js";

globalThis.window = new EventTarget();
globalThis.document = Object.assign(new EventTarget(), { hidden: false });

/**
 * Watches a booking in simulated time, on a server that answers with `answers`, one after another; the last
 * one settles it. Returns the seconds at which it was asked for.
 */
async function asked(context, answers, options = {}) {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const seconds = [];
  context.mock.method(AbortSignal, "timeout", () => new AbortController().signal);
  context.mock.method(globalThis, "fetch", async (path, { headers: sent }) => {
    seconds.push(Date.now() / 1000);
    options.onRequest?.(sent);
    const { status = 200, after, settled = false } = answers[seconds.length - 1];
    const headers = { ETag: `"${seconds.length}"`, ...(after === undefined ? {} : { "Retry-After": `${after}` }) };
    const body = status === 304 ? null : JSON.stringify({ settled });
    return new Response(body, { status, headers });
  });
  let over = false;
  const signal = new AbortController().signal;
  const watching = watch("id", signal, { onBooking() {}, onTrouble() {}, ...options }).then(() => (over = true));
  while (!over) {
    // The page's own steps between two requests.
    for (let step = 0; step < 20; step += 1) await new Promise(setImmediate);
    if (!over) context.mock.timers.tick(1000);
  }
  await watching;
  return seconds;
}

const SETTLED = { settled: true };

test("it asks when the server says, and not before", async (context) => {
  const answers = [{ after: 1 }, { status: 304, after: 12 }, { after: 120 }, SETTLED];
  assert.deepEqual(await asked(context, answers), [0, 1, 13, 133]);
});

test("a booking that was just made and settles in a second costs one request", async (context) => {
  assert.deepEqual(await asked(context, [SETTLED], { fresh: { settled: false } }), [1]);
});

test("each request has the booking's token, and the tag of the last answer", async (context) => {
  const sent = [];
  await asked(context, [{}, SETTLED], { token: "a-token", onRequest: (headers) => sent.push(headers) });
  const Authorization = "Bearer a-token";
  assert.deepEqual(sent, [{ Authorization }, { Authorization, "If-None-Match": '"1"' }]);
});

test("without a token none is sent", async (context) => {
  const sent = [];
  await asked(context, [SETTLED], { onRequest: (headers) => sent.push(headers) });
  assert.deepEqual(sent, [{}]);
});

test("a server that fails is asked again as it says, or after 2 s and then every 4 s", async (context) => {
  const answers = [{ status: 503 }, { status: 503 }, { status: 503 }, { status: 429, after: 30 }, SETTLED];
  assert.deepEqual(await asked(context, answers), [0, 2, 6, 10, 40]);
});
