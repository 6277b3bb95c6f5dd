import assert from "node:assert/strict";
import { test } from "node:test";

const { NOT_PLAYED, STEPS, caption, next, rate, waitsFor } = await import("../system/outage.js");

const FACTS = { now: 0, restarts: 0, waiting: 0, stripe: false, live: true };
const names = (actions) => actions.map(({ service, running, mode }) => (service ? `${service} ${running ? "on" : "off"}` : mode));

/** Plays from the start; answers the outage and all actions at each step. */
function played(facts = {}) {
  let now = 0;
  let { outage, actions } = next(NOT_PLAYED, "play", { ...FACTS, ...facts });
  const done = [[STEPS[outage.index].id, names(actions)]];
  const go = (event, more = {}) => {
    now += 20_000;
    ({ outage, actions } = next(outage, event, { ...FACTS, ...facts, now, ...more }));
    if (actions.length) done.push([outage.playing ? STEPS[outage.index].id : "end", names(actions)]);
    return outage;
  };
  return { go, done, outage: () => outage, now: () => now };
}

test("the outage has five steps, each of which breaks or mends what it says", () => {
  const { go, done } = played();
  go("tick");
  go("tick");
  go("tick");
  assert.equal(go("tick").index, 3, "it waits for another process");
  assert.equal(go("tick", { restarts: 1 }).index, 4);
  const all = ["ticket-service on", "billing-service on", "email-service on", "order-updates on", "up"];
  assert.deepEqual(done, [
    ["well", all],
    ["stopped", ["billing-service off"]],
    ["lost", ["billing-service on", "timeout"]],
    ["killed", ["up", "billing-service off"]],
    ["recovered", all],
  ]);
});

test("it is over when every order is settled, and not before", () => {
  const { go } = played();
  for (let step = 0; step < 3; step += 1) go("tick");
  go("skip");
  assert.equal(go("tick", { waiting: 3 }).playing, true);
  const { playing, over } = go("tick", { waiting: 0 });
  assert.deepEqual({ playing, over }, { playing: false, over: true });
});

test("it stands still while the server cannot be reached", () => {
  const { go } = played();
  assert.equal(go("tick", { live: false }).index, 0);
  assert.equal(go("tick").index, 1);
});

test("ending it early mends everything", () => {
  const { go, done } = played();
  go("tick");
  go("end");
  assert.deepEqual(done.at(-1), ["end", ["ticket-service on", "billing-service on", "email-service on", "order-updates on", "up"]]);
});

test("Stripe is not told to lose replies, and the caption says so", () => {
  const { go, done, outage } = played({ stripe: true });
  go("tick");
  go("tick");
  assert.deepEqual(done.at(-1), ["lost", ["billing-service on"]]);
  assert.match(caption(outage()), /cannot be lost from here/);
});

test("customers come only during a step's time, and none while it waits", () => {
  const { outage } = next(NOT_PLAYED, "play", FACTS);
  assert.deepEqual([rate(outage, 1_000), rate(outage, 6_000), rate(NOT_PLAYED, 0)], [5, 0, 0]);
  const killed = { ...outage, index: 3 };
  assert.deepEqual([waitsFor(killed, 1_000), waitsFor(killed, 4_000)], [null, "restart"]);
});
