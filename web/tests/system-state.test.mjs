import assert from "node:assert/strict";
import { test } from "node:test";

const { SILENCE_MS, silence, drawn, initial, orderCounts, reduce } = await import("../system/state.js");
const { announcements, duty, known, link, topicLine, verdict } = await import("../system/texts.js");
const { AWS, awsTopic, gauges, topic } = await import("./system.mjs");

const T0 = Date.parse("2030-01-01T12:00:00Z");
const after = (...events) => events.reduce((state, [event, at]) => reduce(state, event, at), initial());
const shown = (body = gauges()) => ({ type: "gauges", body });

test("the page is loading until the first gauges, and live from then on", () => {
  assert.equal(link(initial(), T0), "Loading");
  assert.equal(after([{ type: "lost" }, T0]).link, "loading");
  assert.equal(link(after([shown(), T0]), T0), "Live · standalone 0.2.0");
});

test("a lost connection keeps what was known, and says how old it is", () => {
  const state = after([shown(), T0], [{ type: "lost" }, T0 + 1_000]);
  assert.equal(link(state, T0 + 12_400), "Reconnecting · as of 12 s ago");
  assert.equal(state.system.version, "0.2.0");
  assert.equal(reduce(state, shown(), T0 + 13_000).link, "live");
});

test("gauges come often enough that silence is not mistaken for a loss", () => assert.ok(SILENCE_MS > 2 * 500));

test("a system that tells no messages may be silent for longer, and so may one of which nothing is known", () => {
  assert.equal(silence(gauges()), SILENCE_MS);
  assert.ok(silence(gauges(AWS)) > 2 * 5_000);
  assert.ok(silence(null) > 2 * 5_000);
});

test("a service is stopped since the moment that the page saw it stop", () => {
  const stopped = gauges({ services: { "billing-service": { running: false } } });
  const state = after([shown(), T0], [{ type: "service", name: "billing-service", running: false }, T0 + 500], [shown(stopped), T0 + 900]);
  assert.equal(state.stoppedSince["billing-service"], T0 + 500);
  const again = reduce(state, { type: "service", name: "billing-service", running: true }, T0 + 2_000);
  assert.deepEqual(again.stoppedSince, {});
});

test("a service that was stopped before has no moment, and gets none later", () => {
  const stopped = gauges({ services: { "billing-service": { running: false } } });
  const state = after([shown(stopped), T0], [shown(stopped), T0 + 500]);
  assert.equal(state.stoppedSince["billing-service"], null);
});

test("another process is a restart, the same one after a lost connection is none", () => {
  const state = after([shown(), T0], [{ type: "lost" }, T0], [shown(), T0]);
  assert.equal(state.restarts, 0);
  const restarted = gauges({ process: { id: 2, started_at: "2030-01-01T12:05:00Z" } });
  assert.equal(reduce(state, shown(restarted), T0).restarts, 1);
});

test("forty messages are dots, forty-one are a bar and their number", () => {
  assert.deepEqual(drawn(topic({ waiting: 30, in_flight: 4, delayed: 6 })), { dots: 34, later: 6, bar: 0 });
  assert.deepEqual(drawn(topic({ waiting: 30, in_flight: 4, delayed: 7 })), { dots: 0, later: 0, bar: 41 });
});

test("orders count as confirmed, on their way, or without a ticket", () => {
  const counts = orderCounts({ confirmed: 3, pending: 1, tickets_reserved: 2, cancelling: 1, rejected: 4, no_show: 1 });
  assert.deepEqual(counts, { all: 12, confirmed: 3, onTheirWay: 4, without: 5 });
});

test("the verdict says what it is based on", () => {
  const at = (body) => verdict(after([shown(body), T0]), T0 + 1_200);
  assert.deepEqual(at(gauges()), { tone: "equal", title: "Expected = actual", basis: "77 orders: 31 confirmed, 46 on their way. Checked 1 s ago." });
  const two = gauges({ audit: { differences: 2, checked: 77, at: "2030-01-01T12:00:00Z" } });
  assert.equal(at(two).title, "Expected ≠ actual, 2 differences");
  assert.equal(at(gauges({ orders: {} })).basis, "No orders yet. Checked 1 s ago.");
});

test("where comparing is paid for, the verdict says what was compared, and no count that no one made", () => {
  const at = (audit) => verdict(after([shown(gauges({ ...AWS, audit })), T0]), T0 + 1_200);
  const never = { differences: 0, checked: 0, at: null };
  assert.deepEqual(at(never), { tone: "unknown", title: "Expected and actual are not compared yet", basis: "Not checked yet." });
  const equal = { differences: 0, checked: 12, at: "2030-01-01T12:00:00Z" };
  assert.deepEqual(at(equal), { tone: "equal", title: "Expected = actual", basis: "12 orders compared. Checked 1 s ago." });
  const open = at({ ...equal, undecided: 1 });
  assert.deepEqual([open.tone, open.title], ["unknown", "1 order or flight could not be judged"]);
  assert.equal(at({ ...equal, differences: 2, undecided: 1 }).tone, "unequal");
});

test("a number that is not known is not shown as 0, and one that is not exact says so", () => {
  assert.deepEqual([known(null), known(0), known(1_000)], ["unknown", "0", "1,000"]);
  const system = gauges({ ...AWS, topics: { ...gauges().topics, tickets: awsTopic({ waiting: 3 }) } });
  assert.equal(duty(system, "ticket-service"), "answers are not counted");
  assert.equal(duty(system, "customers"), "orders are not counted");
  const line = topicLine(awsTopic({ waiting: 3, in_flight: 2, dead_lettered: 1 }), true, false);
  assert.deepEqual(line, { waiting: "about 3 waiting", notes: "about 2 in work", dead: "about 1 dead", urgent: false });
  assert.equal(topicLine(awsTopic({}), true, false).waiting, "0 waiting");
});

test("a topic says what waits, what is tried again, and its oldest message", () => {
  const line = topicLine(topic({ waiting: 3, delayed: 70, oldest_age_seconds: 8.4, dead_lettered: 2 }), true);
  assert.deepEqual(line, { waiting: "3 waiting", notes: "70 to be tried again · oldest 8 s", dead: "2 dead", urgent: true });
  assert.equal(topicLine(topic({ delayed: 51 }), true).waiting, "51 to be tried again");
  assert.deepEqual(topicLine(topic({}), false), { waiting: "0 waiting", notes: "", dead: "", urgent: false });
});

test("what matters is spoken, numbers are not", () => {
  const before = after([shown(), T0]);
  const spoken = (change) => announcements(before, reduce(before, change, T0));
  assert.deepEqual(spoken({ type: "service", name: "billing-service", running: false }), ["Billing Service is stopped."]);
  assert.deepEqual(spoken({ type: "provider", name: "simulated", mode: "timeout" }), ["The payment provider answers never, but charges."]);
  assert.deepEqual(spoken({ type: "lost" }), ["The connection to the server is lost. The page tries again."]);
  assert.deepEqual(spoken(shown(gauges({ orders: { confirmed: 78 } }))), []);
  const crowded = gauges({ topics: { ...gauges().topics, billing: topic({ waiting: 41 }) } });
  assert.deepEqual(spoken(shown(crowded)), ["More than 40 messages are in billing."]);
  const wrong = gauges({ audit: { differences: 1, checked: 77, at: "2030-01-01T12:00:00Z" } });
  assert.deepEqual(spoken(shown(wrong)), ["Expected is not actual: 1 difference."]);
});
