// The system page while the server is killed, and the guided outage from its first step to its score.

import assert from "node:assert/strict";
import { test } from "node:test";

import { book, openSystem, within } from "./system.mjs";
import { startServer } from "./server.mjs";

/** A server that can be killed and started again: same port, same data. */
async function startMortal(context) {
  let server = await startServer();
  context.after(() => server.stop());
  const { directory } = server;
  const port = new URL(server.url).port;
  return {
    get now() {
      return server;
    },
    kill: () => server.end("SIGKILL"),
    async restart() {
      server = await startServer({ directory, port });
    },
  };
}

test("a killed server greys the page; restarted, it is live with every row once and its switches as they were", async (context) => {
  const mortal = await startMortal(context);
  const system = await openSystem(context, mortal.now);
  await mortal.now.run("billing-service", false);
  const made = [];
  for (let count = 0; count < 5; count += 1) made.push((await book(mortal.now)).id);
  const rows = () => system.texts("#orders-rows td:first-child");
  const expected = made.map((id) => `…${id.slice(-8)}`);
  await within(2, async () => assert.deepEqual(await rows(), expected));

  await mortal.kill();
  await system.sees("#link-text", /^Reconnecting · as of \d+ s ago$/, 3);
  assert.deepEqual(await rows(), expected, "what was known stays");
  assert.match(await system.text("#spoken"), /connection to the server is lost/);
  await system.screenshot("reconnecting-light-1280");
  await system.assertAccessible();

  await mortal.restart();
  await within(5, system.isLive);
  await within(5, async () => assert.deepEqual(await rows(), expected));
  assert.equal(await system.isOn("billing-service"), false);
  await book(mortal.now);
  await within(2, async () => assert.equal((await rows()).length, 6));
  await mortal.now.run("billing-service", true);
  await system.sees("#verdict", /Expected = actual 6 orders: 6 confirmed/, 10);
  assert.deepEqual(system.complaints, []);
});

test("the guided outage goes from all well to the score, through a real kill", async (context) => {
  const mortal = await startMortal(context);
  const system = await openSystem(context, mortal.now);
  await system.press("Play the outage");
  assert.equal(await system.focused(), "The outage");
  const step = (title) => system.sees('#outage-steps [aria-current="step"]', title, 15);
  await step(/All is well/);
  await step(/Billing is stopped/);
  await within(1, async () => assert.equal(await system.isOn("billing-service"), false));
  await step(/Replies are lost/);
  await step(/The process is killed/);
  await within(10, async () => assert.equal(await system.page.$eval("#outage-kill", (one) => one.checkVisibility()), true));
  const { process } = await mortal.now.read("/operator/system");
  await system.sees("#outage-command", new RegExp(`^kill -9 ${process.id}$`));
  await system.screenshot("outage-killed-light-1280");
  await mortal.kill();
  await system.sees("#link-text", /^Reconnecting/);
  await mortal.restart();
  await step(/Recovered/);
  await system.sees("#outage-caption", /The outage is over/, 30);
  const score = await system.page.$$eval("#outage-score-rows tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
  await system.screenshot("outage-over-light-1280");
  await system.assertAccessible();
  const row = (what) => score.find(([name]) => name === what).slice(1);
  const [customers, same] = row("Customers");
  assert.equal(customers, same, "the same customers");
  assert.deepEqual([row("With a ticket")[1], row("Turned away")[1], row("Charged, no ticket")[1], row("Still waiting")[1]], [customers, "0", "0", "0"]);
  assert.ok(Number(row("Turned away")[0]) > 20 && Number(row("Charged, no ticket")[0]) > 0, JSON.stringify(score));
  for (const service of ["ticket-service", "billing-service", "email-service", "order-updates"]) assert.equal(await system.isOn(service), true);
});
