// What the page sends, and which answers are final.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal, book, cancel } from "../api.js";

const ORDER = { key: "a-key", body: '{"flight_id":"OS-101"}' };
const TOKEN = "abcdefghij-_ABCDEFG012";
const PROBLEM = "application/problem+json";

/** A server that answers every request like this; returns the requests. */
function serve(context, status, body, type = "application/json") {
  const requests = [];
  context.mock.method(globalThis, "fetch", async (path, options) => {
    requests.push({ path, ...options });
    return new Response(body, { status, headers: { "Content-Type": type } });
  });
  return requests;
}

const errorOf = (promise) => promise.then(() => assert.fail("no error"), (error) => error);

test("an order is sent as it was kept, under its key", async (context) => {
  const requests = serve(context, 202, '{"id":"1"}');
  assert.deepEqual(await book(ORDER), { id: "1" });
  const [{ method, path, body, headers }] = requests;
  assert.deepEqual([method, path, body, headers["Idempotency-Key"]], ["POST", "bookings", ORDER.body, ORDER.key]);
});

test("the service's own refusal of an order is final", async (context) => {
  for (const status of [400, 404, 413, 415, 422]) {
    serve(context, status, '{"detail":"no"}', PROBLEM);
    const error = await errorOf(book(ORDER));
    assert.ok(error instanceof Refusal, `${status}`);
    assert.equal(error.status, status);
  }
});

test("no other answer is: the order may have been booked", async (context) => {
  const answers = [
    [408, '{"detail":"too slow"}', PROBLEM],
    [429, '{"detail":"too many"}', PROBLEM],
    [500, '{"detail":"an error"}', PROBLEM],
    [503, "", "text/plain"],
    [403, '{"message":"Forbidden"}', "application/json"], // a firewall's
    [403, "<p>Please sign in", "text/html"], // a hotel's
    [202, '{"id":', "application/json"], // cut off
    [200, "<p>Please sign in", "text/html"],
  ];
  for (const answer of answers) {
    serve(context, ...answer);
    assert.ok(!((await errorOf(book(ORDER))) instanceof Refusal), answer.join(" "));
  }
  context.mock.method(globalThis, "fetch", async () => {
    throw new TypeError("Failed to fetch");
  });
  assert.ok(!((await errorOf(book(ORDER))) instanceof Refusal), "no network");
});

test("a booking is cancelled with its token, where there is one", async (context) => {
  const requests = serve(context, 202, "{}");
  await cancel("1", TOKEN);
  await cancel("1");
  assert.deepEqual(requests.map(({ headers }) => headers.Authorization), [`Bearer ${TOKEN}`, undefined]);
});
