// The system page: what happens in the server is seen on it, and what is done on it happens.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ORDER, book, openSystem, setMode, within } from "./system.mjs";
import { startServer } from "./server.mjs";

async function start(context, options) {
  const server = await startServer();
  context.after(server.stop);
  return { server, system: await openSystem(context, server, options) };
}

const ORDERS = "#orders-rows tr";
const BILLING = '[data-topic="billing"] .topic';

test("a booking made elsewhere appears in the picture and among the orders", async (context) => {
  const { server, system } = await start(context);
  await system.sees("#orders-empty", /No orders yet/);
  const { id } = await book(server);
  await within(1, async () => {
    assert.match((await system.texts(ORDERS)).join("\n"), new RegExp(id.slice(-8)));
    assert.match(await system.text('[data-node="customers"]'), /1 order accepted/);
  });
  await system.sees(ORDERS, /confirmed/);
  assert.deepEqual(system.complaints, []);
});

test("a service that is switched off is off in every tab, its orders wait, and all is finished when it is on again", async (context) => {
  const { server, system } = await start(context);
  const other = await openSystem(context, server);
  await system.page.locator('[data-node="billing-service"] .switch').click();
  await within(1, async () => {
    for (const tab of [system, other]) {
      assert.equal(await tab.isOn("billing-service"), false);
      assert.match(await tab.text('[data-node="billing-service"] .state'), /^stopped \d+ s$/);
    }
  });

  for (let count = 0; count < 20; count += 1) await book(server);
  await system.sees(BILLING, /20 waiting/);
  const oldest = async () => Number((await system.text(BILLING)).match(/oldest (\d+) s/)?.[1]);
  await within(5, async () => assert.ok((await oldest()) >= 1));
  const before = await oldest();
  await within(5, async () => assert.ok((await oldest()) > before, "the oldest age grows"));
  assert.equal((await system.texts(`${ORDERS} td:nth-child(3)`)).every((text) => text === "payment"), true);

  await other.page.locator('[data-node="billing-service"] .switch').click();
  await within(5, async () => {
    for (const tab of [system, other]) {
      assert.equal(await tab.isOn("billing-service"), true);
      assert.match(await tab.text(BILLING), /billing 0 waiting$/);
      assert.match(await tab.text("#verdict"), /^Expected = actual 20 orders: 20 confirmed\./);
    }
  });
});

test("in one outage the chain turns all customers away and charges some, the topics none", async (context) => {
  const { server, system } = await start(context);
  await server.run("billing-service", false);
  await within(1, async () => assert.equal(await system.isOn("billing-service"), false));
  await system.press("5 a second");
  await within(10, async () => assert.match(await system.figure("chain", "away"), /^1\d of/));
  await system.press("5 a second");
  await within(5, async () => {
    assert.equal(await system.figure("chain", "open"), "0");
    const [away, all] = (await system.figure("chain", "away")).split(" of ");
    assert.equal(away, all, "the chain turns all away");
    assert.equal(await system.figure("topics", "away"), `0 of ${all}`);
    assert.equal(await system.figure("topics", "open"), all);
  });
  assert.equal(await system.figure("chain", "charged"), "0", "who was refused at once was not charged");

  await server.run("billing-service", true);
  await setMode(server, "timeout");
  await system.sees('[data-node="provider"]', /the reply is lost/);
  await system.press("Book one");
  await within(15, async () => assert.equal(await system.figure("chain", "charged"), "1"));

  await setMode(server, "up");
  await within(15, async () => {
    assert.equal(await system.figure("topics", "open"), "0");
    assert.match(await system.figure("topics", "away"), /^0 of/);
    assert.equal(await system.figure("topics", "charged"), "0");
  });
  assert.equal(await system.figure("chain", "charged"), "1");
  assert.equal(new Set(await system.page.$$eval("#topics .tile", (tiles) => tiles.map((tile) => tile.dataset.fate))).size, 1);
});

test("orders whose events were only counted are finished on the page too", async (context) => {
  const { server, system } = await start(context);
  await server.run("billing-service", false);
  await within(1, async () => assert.equal(await system.isOn("billing-service"), false));
  for (let count = 0; count < 60; count += 1) await system.press("Book one");
  await within(10, async () => assert.equal(await system.figure("topics", "open"), "60"));
  // All at once, which is more than 200 messages a second.
  await server.run("billing-service", true);
  await system.sees("#verdict", /60 orders: 60 confirmed/, 10);
  await within(5, async () => assert.equal(await system.figure("topics", "open"), "0"));
});

test("a poison message is explained, redriven, and discarded for a reason", async (context) => {
  const { system } = await start(context);
  await system.press("Send it");
  const letter = "#letters-rows tr";
  await system.sees(letter, /^billing no event – .+ 1 attempt .+/);
  assert.ok((await system.text(`${letter} td:nth-child(4)`)).length > 5, "why");
  assert.ok((await system.text(`${letter} td:nth-child(6)`)).length > 10, "what to do");
  await system.sees("#verdict-title", /^Expected ≠ actual, 1 difference$/);

  await system.page.locator(`${letter} button`).click();
  await system.sees(`${letter} td:nth-child(5)`, /^2 attempts, 1 redrive again$/);
  await system.sees("#verdict-title", /≠/);

  await system.page.locator(`${letter} button:nth-of-type(2)`).click();
  await system.press("Discard it");
  await system.sees("#discard-trouble", /Give a reason/);
  assert.match(await system.focused(), /Reason/);
  await system.page.keyboard.type("sent to try it");
  await system.page.keyboard.press("Enter");
  await system.sees("#letters-empty", /No message was given up/);
  await system.sees("#verdict-title", /^Expected = actual$/);
  assert.match(await system.focused(), /Dead letters/, "the focus is not lost with the row");
});

test("the journey of an order that was retried shows each attempt with its delay, and the rows of its audit", async (context) => {
  const { server, system } = await start(context);
  await setMode(server, "unavailable");
  const { id } = await book(server);
  await within(1, async () => assert.equal((await system.texts(ORDERS)).length, 1));
  await system.page.locator(`${ORDERS} a`).click();
  await system.sees("#journey-id", new RegExp(id));
  assert.match(await system.focused(), /^Journey of …/);

  const badges = () => system.texts("#journey-steps .badge");
  await within(10, async () => assert.ok((await badges()).length >= 3));
  await setMode(server, "up");
  (await badges()).slice(0, 3).forEach((badge, index) => assert.match(badge, new RegExp(`^try ${index + 2}, within [\\d.]+ (s|min)$`)));
  assert.ok((await system.text("#journey-steps [data-tone=delayed] .reason")).length > 5, "why it is tried again");

  await within(10, async () => assert.match(await system.text("#journey-state"), /^confirmed$/));
  const { rows } = await server.read(`/operator/audit?order=${id}`);
  assert.ok(rows.length > 2);
  await within(5, async () => {
    const cells = await system.page.$$eval("#journey-rows tr", (all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
    assert.deepEqual(cells, rows.map(({ what, expected, actual }) => [what, expected, actual, "= equal"]));
  });
});

test("orders are filtered, paged, and found by their id", async (context) => {
  const { server, system } = await start(context);
  await server.run("billing-service", false);
  const made = [];
  for (let count = 0; count < 15; count += 1) made.push((await book(server)).id);
  const rejected = await server.send("POST", "/bookings", { ...ORDER, flight_id: "XX-1" });
  const page = async () => (await system.texts(`${ORDERS} td:first-child`)).join();
  const last = (ids) => ids.map((id) => `…${id.slice(-8)}`).join();
  await within(5, async () => assert.equal(await page(), last(made.slice(0, 12)), "what waits longest is first"));
  await system.press("Next");
  await within(2, async () => assert.equal(await page(), last([...made.slice(12), rejected.content.id]), "what waits for nothing is last"));
  await system.press("Previous");
  await within(2, async () => assert.equal(await page(), last(made.slice(0, 12))));
  await system.page.select("#orders-filter", "rejected");
  await within(2, async () => assert.equal(await page(), last([rejected.content.id])));
  await system.page.select("#orders-filter", "cancelled");
  await system.sees("#orders-empty", /No order is cancelled/);

  await system.page.locator("#search-id").fill(made[14]);
  await system.press("Find");
  await system.sees("#journey-id", new RegExp(made[14]));
  await system.page.locator("#search-id").fill("00000000-0000-4000-8000-000000000000");
  await system.press("Find");
  await system.sees("#journey-trouble", /There is no order with this id/);
  await system.page.locator("#search-id").fill("no id");
  await system.press("Find");
  await system.sees("#search-trouble", /whole id/);
});
