// What customers come for, from the open page to the end of their booking.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LOST, ORDER, atRest, bookElsewhere, charges, eventually, mails, start } from "./harness.mjs";

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

test("after a declined card everything but the card is filled in again, and another card pays", async (context) => {
  const { server, customer } = await start(context);
  await customer.choose("A card that is declined");
  await customer.buy(ORDER);
  await customer.sees(/Your card was declined/);
  // As after a reload: nothing is left in the form.
  await customer.reload();
  await customer.press("Try another card");
  await customer.sees(/Your order is filled in again\. Choose another card\./);
  assert.deepEqual(await customer.filledIn(), { ...ORDER, card: null });
  assert.match(await customer.focused(), /^Visa test card/);
  await customer.press("Buy 2 seats");
  await customer.sees(/Choose a card\./);
  await customer.page.keyboard.press("Space");
  await customer.press("Buy 2 seats");
  await customer.sees(/Booking confirmed/);
  assert.equal((await charges(server)).filter(({ captured, refunded }) => captured > refunded).length, 1);
});

test("where fewer seats are left they are offered, and booked with one more press", async (context) => {
  const { server, customer } = await start(context);
  await customer.fillIn({ ...ORDER, flight: "OS-512", seats: 3 });
  await bookElsewhere(server, { flight: "OS-512", seats: 1 });
  await customer.press("Buy 3 seats");
  await customer.sees(/Flight OS-512 does not have 3 seats left/);
  await customer.sees(/2 seats are left on this flight\./);
  await customer.press("Book 2 seats instead");
  await eventually(async () => assert.equal(await customer.focused(), "Buy 2 seats"));
  await customer.page.keyboard.press("Enter");
  await customer.sees(/Booking confirmed/);
  assert.deepEqual((await server.read("/flights")).find(({ id }) => id === "OS-512").seats_left, 0);
});

test("where no seat is left none is offered", async (context) => {
  const { server, customer } = await start(context);
  await customer.fillIn({ ...ORDER, flight: "OS-512", seats: 1 });
  await bookElsewhere(server, { flight: "OS-512", seats: 3 });
  await customer.press("Buy 1 seat");
  await customer.sees(/No seat is left on this flight at the moment\./);
  assert.equal(await customer.isShown("#another"), false);
});

test("a step that takes longer than usual is said to, after ten seconds and not before", async (context) => {
  const { server, customer } = await start(context);
  await server.run("billing-service", false);
  await customer.buy(ORDER);
  await customer.sees(/Charging your card/);
  await customer.sees(/Live: each step appears here as it happens/);
  assert.doesNotMatch(await customer.text(), /longer than usual/);
  await customer.sees(/This takes longer than usual/);
  const { waiting_since: since } = await server.read(`/bookings/${(await customer.address()).id}`);
  assert.ok(Date.now() - Date.parse(since) >= 9_000, "not before");
  await server.run("billing-service", true);
  await customer.sees(/Booking confirmed/);
  assert.doesNotMatch(await customer.text(), /longer than usual/);
});

test("the mail's step stays open, since the page does not know that it was sent", async (context) => {
  const { customer } = await start(context);
  await customer.buy(ORDER);
  await customer.sees(/A mail is on its way/);
  const states = await customer.page.$$eval("#timeline li", (all) => all.map((one) => [one.querySelector(".what").textContent, one.dataset.state]));
  assert.deepEqual(states.slice(-2), [["Confirmed", "done"], ["A mail is on its way", "next"]]);
});

test("the button says that it is at work, and sends one order however often it is pressed", async (context) => {
  const { network, customer } = await start(context);
  network.delay(1_000);
  await customer.fillIn(ORDER);
  await customer.press("Buy 2 seats");
  await customer.sees(/Sending order…/);
  const state = await customer.page.$eval("#buy", (button) => [button.ariaBusy, button.ariaDisabled]);
  assert.deepEqual(state, ["true", "true"]);
  await customer.page.locator("#buy").click();
  await customer.sees(/Booking confirmed/);
  assert.equal(network.orders.length, 1);
});

test("a departure is told on the clock of its airport", async (context) => {
  const flight = { id: "TK-1", from: "Tokyo", to: "Vienna", departs_at: "2099-06-21T23:30:00Z", time_zone: "Asia/Tokyo", capacity: 9 };
  const { server, customer } = await start(context, { flights: [{ ...flight, price: { value: 64900, currency: "EUR" } }] });
  await customer.sees(/08:30/);
  await customer.buy({ ...ORDER, flight: "TK-1" });
  await customer.sees(/Booking confirmed/);
  await customer.sees(/08:30 GMT\+9/);
  await customer.sees(/Mon,? 22 Jun/);
  const [{ body }] = await mails(server);
  assert.match(body, /Monday, 22 June 2099, 08:30, local time in Tokyo \(UTC\+09:00\)/);
});

test("the recent bookings are called by their flight and day", async (context) => {
  const { customer } = await start(context);
  await customer.buy(ORDER);
  await customer.sees(/Booking confirmed/);
  const name = () => customer.page.$eval("#recent a", (link) => link.textContent);
  await eventually(async () => assert.match(await name(), /^OS-101, Vienna to Lisbon, \w{3},? \d+ \w{3}$/));
});

test("a booking's link is copied, and the page says who may use it", async (context) => {
  const { network, customer } = await start(context);
  await customer.page.browserContext().overridePermissions(new URL(network.url).origin, ["clipboard-read", "clipboard-write", "clipboard-sanitized-write"]);
  await customer.buy(ORDER);
  await customer.sees(/Booking confirmed/);
  await customer.press("Copy link");
  await customer.sees(/Copied\. Who has this link can see and cancel the booking\./);
  assert.equal(await customer.page.evaluate(() => navigator.clipboard.readText()), customer.page.url());
});

test("a screen reader is told each piece of news, with what is done and what comes next", async (context) => {
  const { server, customer } = await start(context);
  await server.run("billing-service", false);
  await customer.buy(ORDER);
  const told = () => customer.page.$eval("#told[role=status]", (region) => region.textContent);
  await eventually(async () => assert.match(await told(), /^Your seats are held\..*Seats held.*Next: Charging your card\.$/));
  await server.run("billing-service", true);
  await eventually(async () => assert.match(await told(), /^Booking confirmed\..*Done: Paid, Confirmed\. Next: A mail is on its way\.$/));
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
