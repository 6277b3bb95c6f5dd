// An order whose answer was lost is never booked twice: not after a reload, and not behind the customer's back.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ORDER, atRest, charges, eventually, start } from "./harness.mjs";

const OTHER = { ...ORDER, flight: "OS-347", seats: 1 };
const NOTICE = /Your last order got no answer: 2 seats on OS-101/;
const LOST = /The booking service does not answer\. Press Buy again/;

/** A customer whose order arrived, and whose answer was lost. The network is back. */
async function startUnanswered(context) {
  const world = await start(context);
  world.network.loseAnswers();
  await world.customer.buy(ORDER);
  await world.customer.sees(LOST);
  world.network.restore();
  return world;
}

/** Fails unless one booking was made and charged, and it is the one that is shown. */
async function assertOnce({ server, network, customer }) {
  await customer.sees(/Booking confirmed/);
  const { id } = await customer.address();
  const made = await charges(server);
  assert.deepEqual(made.map(({ booking_id: booking, refunded }) => [booking, refunded]), [[id, 0]]);
  assert.equal(new Set(network.orders).size, 1, "every request had the same key");
}

test("an order bought again after its answer was lost and the page reloaded is booked and charged once", async (context) => {
  const world = await startUnanswered(context);
  await world.customer.reload();
  await world.customer.buy(ORDER);
  await assertOnce(world);
});

test("an order bought again without a reload is booked and charged once", async (context) => {
  const world = await startUnanswered(context);
  await world.customer.sees(NOTICE);
  await world.customer.buy(ORDER);
  await assertOnce(world);
});

test("an order whose answer was lost is found after a reload, and charged once", async (context) => {
  const world = await startUnanswered(context);
  await world.customer.reload();
  await world.customer.sees(NOTICE);
  await world.customer.press("Find it");
  await assertOnce(world);
  await world.customer.open("");
  await world.customer.sees(/OS-347/);
  assert.equal(await world.customer.isShown("#unanswered"), false, "an order that was answered is not offered again");
});

test("an order that is looked for while the network is away can be looked for again", async (context) => {
  const world = await startUnanswered(context);
  await world.customer.reload();
  world.network.loseAnswers();
  await world.customer.press("Find it");
  await world.customer.sees(/The booking service does not answer\. You can safely try again/);
  world.network.restore();
  await world.customer.press("Find it");
  await assertOnce(world);
});

test("another order is not sent until the customer has chosen what becomes of the unanswered one", async (context) => {
  const { server, network, customer } = await startUnanswered(context);
  await customer.reload();
  const sent = network.orders.length;
  await customer.buy(OTHER);
  await customer.sees(/The order that you have just filled in was not sent/);
  assert.match(await customer.focused(), NOTICE);
  await atRest(server);
  assert.equal(network.orders.length, sent, "nothing was sent");

  await customer.press("Forget it");
  assert.equal(await customer.isShown("#unanswered"), false);
  assert.equal(await customer.focused(), "Buy 1 seat");
  await customer.page.keyboard.press("Enter");
  await customer.sees(/Booking confirmed/);
  assert.equal((await charges(server)).length, 2, "the first one and the other one are booked");
});

test("the unanswered order is found before another one is bought", async (context) => {
  const world = await startUnanswered(context);
  await world.customer.buy(OTHER);
  await world.customer.press("Find it");
  await assertOnce(world);
});

test("a refused order is not held against the customer", async (context) => {
  const { server, network, customer } = await start(context);
  await customer.buy({ ...ORDER, email: "unknown" });
  await customer.sees(/E-mail .*\./);
  assert.equal(await customer.isShown("#unanswered"), false);
  await customer.buy(ORDER);
  await customer.sees(/Booking confirmed/);
  assert.equal((await charges(server)).length, 1);
  assert.equal(new Set(network.orders).size, 2, "a refused order's key is not used again");
});

test("an order that was rejected is a new one when it is bought again", async (context) => {
  const { customer } = await start(context);
  const tooMany = { ...ORDER, flight: "OS-512", seats: 9 };
  await customer.buy(tooMany);
  await customer.sees(/Flight OS-512 does not have 9 seats left/);
  const first = await customer.address();
  await customer.open("");
  await customer.buy(tooMany);
  await customer.sees(/Flight OS-512 does not have 9 seats left/);
  assert.notEqual((await customer.address()).id, first.id);
});

test("a second tab learns that the order was found in the first", async (context) => {
  const { customer } = await startUnanswered(context);
  const tab = await customer.openTab();
  await tab.sees(NOTICE);
  await customer.page.bringToFront();
  await customer.press("Find it");
  await eventually(async () => assert.equal(await tab.isShown("#unanswered"), false));
});

test("the notice can be used with the keyboard alone", async (context) => {
  const world = await startUnanswered(context);
  const { customer } = world;
  await customer.reload();
  await customer.fillIn(OTHER);
  await customer.tabTo("Buy 1 seat");
  await customer.page.keyboard.press("Enter");
  await customer.sees(/was not sent/);
  assert.match(await customer.focused(), NOTICE);
  await customer.page.keyboard.press("Tab");
  assert.equal(await customer.focused(), "Find it");
  await customer.page.keyboard.press("Tab");
  assert.equal(await customer.focused(), "Forget it");
  await customer.page.keyboard.down("Shift");
  await customer.page.keyboard.press("Tab");
  await customer.page.keyboard.up("Shift");
  await customer.page.keyboard.press("Enter");
  await assertOnce(world);
});
