// The system page beside a server under full load: the page answers, and the server is not held up by it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { openSystem, within } from "./system.mjs";
import { BINARY, startServer } from "./server.mjs";

const BOOKINGS = process.env.LOAD_BOOKINGS ?? "2000";
const run = promisify(execFile);

/** Bookings a second. */
async function load(server) {
  const began = performance.now();
  await run(BINARY, ["load", "--url", server.url, "--bookings", BOOKINGS, "--concurrency", "32"]);
  return (Number(BOOKINGS) * 1_000) / (performance.now() - began);
}

test("under full load the page answers and counts, and the server ends at once with the page open", async (context) => {
  const server = await startServer();
  context.after(server.stop);
  await load(server); // warms the server up
  const without = await load(server);
  const system = await openSystem(context, server);
  const loading = load(server);
  // A click is answered while messages fly by.
  await within(5, async () => assert.doesNotMatch(await system.text("#verdict"), /No orders/));
  await system.page.locator('[data-node="email-service"] .switch').click();
  await within(5, async () => assert.equal(await system.isOn("email-service"), false));
  const beside = await loading;
  context.diagnostic(`rate with the page open: ${(beside / without).toFixed(2)} of ${without.toFixed(0)} bookings a second without`);
  await server.run("email-service", true);
  const all = 3 * Number(BOOKINGS);
  await system.sees('[data-node="customers"]', new RegExp(`${all.toLocaleString("en-GB")} orders accepted`), 60);
  assert.deepEqual(system.complaints, []);

  const began = performance.now();
  await server.end("SIGINT");
  const took = performance.now() - began;
  context.diagnostic(`ended in ${took.toFixed(0)} ms`);
  assert.ok(took < 3_000, "an open stream does not hold the server up");
  await system.sees("#link-text", /^Reconnecting/);
});
