import assert from "node:assert/strict";
import { test } from "node:test";

const { steps, underWay, verdictOf } = await import("../system/journey-steps.js");
const { messageName, short, span, tried, waitsFor } = await import("../system/texts.js");

const at = (seconds) => new Date(Date.parse("2030-01-01T12:00:00Z") + seconds * 1_000).toISOString();
const order = { settled: false, history: [{ at: at(0), status: "pending", event: "accepted" }, { at: at(0.6), status: "tickets_reserved", event: "tickets_reserved" }] };
let seq = 0;
const message = (topic, type, phase, seconds, more = {}) => ({ seq: (seq += 1), topic, type: type && `booking.${type}.v1`, phase, attempt: 0, at: at(seconds), due: null, reason: null, ...more });

const retried = [
  message("tickets", "reserve", "sent", 0),
  message("tickets", "reserve", "received", 0.1),
  message("order-updates", "tickets_reserved", "sent", 0.5),
  message("tickets", "reserve", "answered", 0.5),
  message("order-updates", "tickets_reserved", "received", 0.6),
  message("billing", "charge", "sent", 0.6),
  message("order-updates", "tickets_reserved", "answered", 0.7),
  message("billing", "charge", "received", 0.8),
  message("billing", "charge", "delayed", 1, { attempt: 1, due: at(2), reason: "the provider does not answer" }),
  message("billing", "charge", "delayed", 2, { attempt: 2, due: at(4) }),
];

test("a journey is the history and the messages, in their order, each with its sender", () => {
  const lines = steps({ order, messages: retried }).map(({ who, verb, message: name, topic }) => [who, verb, name, topic].filter(Boolean).join(" "));
  assert.deepEqual(lines, [
    "Customer books: POST /bookings → 202",
    "Booking Gateway sends reserve tickets",
    "Ticket Service sends tickets_reserved order-updates",
    "Booking Gateway order is tickets reserved",
    "Booking Gateway sends charge billing",
    "Billing Service sends again charge billing",
    "Billing Service sends again charge billing",
  ]);
});

test("a change of the order stands after the update that led to it, in the same millisecond too", () => {
  const history = [{ at: at(0), status: "pending", event: "accepted" }, { at: at(1), status: "tickets_reserved", event: "tickets_reserved" }];
  const messages = [message("order-updates", "tickets_reserved", "sent", 1.001), message("billing", "charge", "sent", 1.002)];
  const verbs = steps({ order: { settled: false, history }, messages }).map(({ verb }) => verb);
  assert.deepEqual(verbs, ["books: POST /bookings → 202", "sends", "order is tickets reserved", "sends"]);
});

test("a retry says which try it is, when it is due, and why", () => {
  const delayed = steps({ order, messages: retried }).filter(({ tone }) => tone === "delayed");
  assert.deepEqual(delayed.map(({ badge, reason }) => [badge, reason]), [["try 2, within 1 s", "the provider does not answer"], ["try 3, within 2 s", ""]]);
});

test("every step shows what was received and handled too", () => {
  assert.equal(steps({ order, messages: retried }, { every: true }).length, retried.length + order.history.length);
});

test("what a service has received and not answered yet is shown", () => {
  const messages = [message("billing", "charge", "sent", 0), message("billing", "charge", "received", 0.1)];
  assert.equal(steps({ order, messages }).at(-2).verb, "receives");
});

test("messages under way are those sent and redriven, less those handled and given up", () => {
  assert.equal(underWay(retried), 1);
  assert.equal(underWay([...retried, message("billing", "charge", "dead-lettered", 9)]), 0);
});

test("an unequal row is on its way only while something may change it", () => {
  const row = { what: "Money kept", expected: "EUR 1.00", actual: "EUR 0.00", equal: false };
  assert.equal(verdictOf(row, { order, messages: [] }).text, "on its way");
  assert.equal(verdictOf(row, { order: { settled: true }, messages: [] }).text, "≠");
  assert.equal(verdictOf(row, { order: { settled: true }, messages: [message("email", "send", "sent", 0)] }).text, "on its way");
  assert.equal(verdictOf({ ...row, equal: true }, { order, messages: [] }).text, "= equal");
  // Where messages are not told, a mail may be under way for a minute.
  const settled = { order: { settled: true, updated_at: at(0) }, messages: [] };
  const untold = (seconds) => verdictOf(row, settled, { told: false, now: Date.parse(at(seconds)) }).text;
  assert.deepEqual([untold(59), untold(60)], ["on its way", "≠"]);
});

test("names, ids and spans are short", () => {
  assert.deepEqual([messageName("booking.charge.v1"), messageName("booking.charge.v2"), messageName(null), messageName("other")], ["charge", "charge, version 2", "no event", "other"]);
  assert.equal(short("96b6f5ad-f717-4951-afda-bda937b644d3"), "…37b644d3");
  assert.deepEqual([0.04, 7.25, 12, 100, 7_200, 200_000].map(span), ["0.0 s", "7.3 s", "12 s", "2 min", "2 h", "2 d"]);
  assert.deepEqual([tried({ attempts: 1, redrives: 0 }), tried({ attempts: 2, redrives: 1 })], ["1 attempt", "2 attempts, 1 redrive"]);
  assert.deepEqual([waitsFor({ awaiting: [] }), waitsFor({ awaiting: ["tickets", "payment"] })], ["–", "tickets, payment"]);
});
