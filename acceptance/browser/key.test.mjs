// Who has the token of a booking may see and cancel it; everybody else sees its status.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ORDER, atRest, charges, mails, newCustomer, start } from "./harness.mjs";
import { PUBLIC_URL } from "./server.mjs";

const PERSONAL = /Ada|Byron|ada@example\.com/i;
const NOTICE = /The key in this link is not right/;
const KEY_HINT = /The address of this page is the key to the booking/;
const PUBLIC_HINT = /What is personal is not shown here/;
const WRONG = "A".repeat(22);

/** A customer with a confirmed booking, and somebody else. */
async function startBooked(context) {
  const world = await start(context);
  await world.customer.buy(ORDER);
  await world.customer.sees(/Booking confirmed/);
  const stranger = await newCustomer(context, world.network.url);
  return { ...world, stranger, ...(await world.customer.address()) };
}

/** Fails unless this is the view for everyone: flight and status, nothing personal, nothing to change. */
async function assertPublic(stranger, status) {
  await stranger.sees(status);
  await stranger.sees(/OS-101/);
  await stranger.sees(PUBLIC_HINT);
  const text = await stranger.text();
  assert.doesNotMatch(text, PERSONAL);
  assert.doesNotMatch(text, KEY_HINT);
  assert.equal(await stranger.isShown("#cancel"), false, "no button to cancel");
}

test("a booking's address has its token, and cancels it", async (context) => {
  const { server, customer, id, token } = await startBooked(context);
  assert.match(token, /^[\w-]{22}$/);
  await customer.sees(KEY_HINT);
  await customer.sees(/Ada Byron/);
  await customer.press("Cancel this booking");
  await customer.press("Yes, cancel it");
  await customer.sees(/Booking cancelled/);
  assert.deepEqual(await customer.address(), { id, token });
  const [charge] = await charges(server);
  assert.equal(charge.refunded, charge.captured);
});

test("the address with the token cancels the booking in any browser", async (context) => {
  const { stranger, id, token } = await startBooked(context);
  await stranger.open(`${id}/${token}`);
  await stranger.sees(/Ada Byron/);
  await stranger.press("Cancel this booking");
  await stranger.press("Yes, cancel it");
  await stranger.sees(/Booking cancelled/);
});

test("the link in the mail leads to the booking as its customer sees it", async (context) => {
  const { server, stranger, id } = await startBooked(context);
  const [{ body }] = await mails(server);
  const link = body.split(/\s/).find((word) => word.startsWith(PUBLIC_URL));
  assert.ok(link, body);
  await stranger.open(new URL(link).hash.slice(1));
  await stranger.sees(/Ada Byron/);
  await stranger.sees(KEY_HINT);
  assert.equal((await stranger.address()).id, id);
  assert.equal(await stranger.isShown("#cancel"), true);
});

test("the reference alone shows status and flight, and nothing personal", async (context) => {
  const { stranger, id } = await startBooked(context);
  await stranger.open(id);
  await assertPublic(stranger, /Booking confirmed/);
  assert.equal(await stranger.isShown("#wrong-key"), false);
});

test("a wrong key shows a notice and what everyone may see, and leaves the address", async (context) => {
  const { stranger, id, token } = await startBooked(context);
  for (const wrong of [WRONG, token.slice(0, 9), `${token}x`, "%C3%B6"]) {
    await stranger.open(`${id}/${wrong}`);
    await stranger.sees(NOTICE);
    await assertPublic(stranger, /Booking confirmed/);
    assert.deepEqual(await stranger.address(), { id, token: undefined });
  }
});

test("the browser that booked finds the booking by its reference alone, and after a link with a wrong key", async (context) => {
  const { customer, id, token } = await startBooked(context);
  for (const fragment of [id, `${id}/${WRONG}`, `${id}/short`]) {
    await customer.open(fragment);
    await customer.sees(/Ada Byron/);
    assert.deepEqual(await customer.address(), { id, token }, fragment);
    assert.equal(await customer.isShown("#wrong-key"), false);
  }
});

test("the list of recent bookings leads to them with their tokens", async (context) => {
  const { customer, id, token } = await startBooked(context);
  await customer.open("");
  await customer.page.locator("#recent a").click();
  await customer.sees(/Ada Byron/);
  assert.deepEqual(await customer.address(), { id, token });
});

test("a booking that is cancelled meanwhile changes before a stranger's eyes", async (context) => {
  const { server, customer, stranger } = await startWaiting(context);
  const { id } = await customer.address();
  await stranger.open(id);
  await assertPublic(stranger, /The seats are held/);
  await customer.press("Cancel this booking");
  await customer.press("Yes, cancel it");
  await server.run("billing-service", true);
  await atRest(server);
  await assertPublic(stranger, /Booking cancelled/);
});

/** A customer whose booking waits for billing, and somebody else. */
async function startWaiting(context) {
  const world = await start(context);
  await world.server.run("billing-service", false);
  await world.customer.buy(ORDER);
  await world.customer.sees(/Your seats are held/);
  return { ...world, stranger: await newCustomer(context, world.network.url) };
}
