// What customers come for, from the open page to the end of their booking.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LOST, ORDER, atRest, charges, start } from "./harness.mjs";

test("a customer buys seats and sees the booking confirmed", async (context) => {
  const { server, customer } = await start(context);
  await customer.buy(ORDER);
  await customer.sees(/Booking confirmed/);
  await customer.sees(/€259\.00/);
  await customer.sees(/Ada Byron/);
  assert.deepEqual((await charges(server)).map(({ captured, refunded }) => [captured, refunded]), [[25900, 0]]);
});

test("a declined card is said plainly, and nothing is charged", async (context) => {
  const { server, customer } = await start(context);
  await customer.choose("A card that is declined");
  await customer.buy(ORDER);
  await customer.sees(/Your card was declined\. Your seats have been released\. Nothing was charged\./);
  assert.deepEqual((await charges(server)).filter(({ captured, refunded }) => captured !== refunded), []);
});

test("a flight with too few seats is said to be sold out, and nothing is charged", async (context) => {
  const { server, customer } = await start(context);
  await customer.buy({ ...ORDER, flight: "OS-512", seats: 4 });
  await customer.sees(/Sold out/);
  await customer.sees(/Flight OS-512 does not have 4 seats left\. Nothing was charged\./);
  assert.deepEqual(await charges(server), []);
});

test("a cancelled booking is refunded, and the question can be answered with no", async (context) => {
  const { server, customer } = await start(context);
  await customer.buy(ORDER);
  await customer.sees(/Booking confirmed/);
  await customer.press("Cancel this booking");
  await customer.press("Keep it");
  assert.equal(await customer.isShown("#confirmation"), false);
  assert.equal(await customer.focused(), "Cancel this booking");
  await customer.press("Cancel this booking");
  await customer.press("Yes, cancel it");
  await customer.sees(/Booking cancelled/);
  await customer.sees(/€259\.00 was refunded to your card\./);
  assert.deepEqual((await charges(server)).map(({ captured, refunded }) => [captured, refunded]), [[25900, 25900]]);
});

test("a booking is followed again once the network is back", async (context) => {
  const { server, customer } = await start(context);
  await server.run("billing-service", false);
  await customer.buy(ORDER);
  await customer.sees(/Your seats are held/);
  await customer.page.setOfflineMode(true);
  await customer.sees(/The booking service does not answer\. The booking is stored\. We keep trying\./);
  await server.run("billing-service", true);
  await atRest(server);
  assert.doesNotMatch(await customer.text(), /Booking confirmed/);
  await customer.page.setOfflineMode(false);
  await customer.sees(/Booking confirmed/);
  assert.doesNotMatch(await customer.text(), /We keep trying\./);
});

test("the departures appear once the network is back", async (context) => {
  const { network, customer } = await start(context);
  await customer.open(LOST);
  await customer.sees(/No such booking/);
  network.cut();
  await customer.page.locator("#missing .button").click(); // the page is there, and the departures are not
  await customer.sees(/The departures cannot be loaded\. We keep trying\./);
  network.restore();
  await customer.buy(ORDER);
  await customer.sees(/Booking confirmed/);
});

test("a customer without a mouse buys and cancels", async (context) => {
  const { customer } = await start(context);
  const { keyboard } = customer.page;
  await customer.sees(/Lisbon/);
  await customer.tabTo(/OS-410/);
  for (let presses = 0; presses < 8 && !/OS-101/.test(await customer.focused()); presses += 1) await keyboard.press("ArrowDown");
  assert.match(await customer.focused(), /Vienna to Lisbon.*€129\.50/);
  await customer.tabTo("1");
  await keyboard.press("ArrowRight");
  await customer.tabTo("Name");
  await keyboard.type(ORDER.name);
  await customer.tabTo("E-mail");
  await keyboard.type(ORDER.email);
  await customer.tabTo("Buy 2 seats");
  await keyboard.press("Enter");
  await customer.sees(/Booking confirmed/);
  assert.match(await customer.focused(), /^Booking (received|confirmed)$|^Your seats are held$/);
  await customer.tabTo("Cancel this booking");
  await keyboard.press("Enter");
  assert.equal(await customer.focused(), "Keep it");
  await keyboard.press("Escape");
  assert.equal(await customer.focused(), "Cancel this booking");
  await keyboard.press("Enter");
  await customer.tabTo("Yes, cancel it");
  await keyboard.press("Enter");
  await customer.sees(/Booking cancelled/);
  assert.equal(await customer.focused(), "Booking cancelled");
});
