import assert from "node:assert/strict";
import { test } from "node:test";

const { Customers, MOST_TILES, percentile, seconds, summary } = await import("../system/customers.js");

const fates = (customers, system) => customers.tiles(system).map(({ fate }) => fate);
const accepted = { status: 202, took: 5, order: "one" };
const payment = (id, captured = 100, refunded = 0) => ({ booking_id: id, captured, refunded, currency: "EUR" });

/** A customer of both, the chain's answer given. */
function turnedAway(customers, status, why = "") {
  const number = customers.ask();
  customers.chainAnswered(number, { status, took: 9, why });
  return number;
}

test("a customer spins in both systems until they answer", () => {
  const customers = new Customers();
  const number = customers.ask();
  assert.deepEqual([fates(customers, "chain"), fates(customers, "topics")], [["spinning"], ["spinning"]]);
  customers.chainAnswered(number, { status: 200, took: 40, order: "c" });
  customers.topicsAnswered(number, accepted);
  assert.deepEqual([fates(customers, "chain"), fates(customers, "topics")], [["ticket"], ["waiting"]]);
});

test("an order that is confirmed before its customer has the answer is a ticket", () => {
  const customers = new Customers();
  const number = customers.ask();
  assert.equal(customers.orderChanged({ id: "one", status: "confirmed", settled: true }), false);
  customers.topicsAnswered(number, accepted);
  assert.deepEqual(fates(customers, "topics"), ["ticket"]);
});

test("an order that ends without a ticket turns its customer away, and one that is being undone waits", () => {
  const customers = new Customers();
  customers.topicsAnswered(customers.ask(), accepted);
  customers.orderChanged({ id: "one", status: "payment_declined", settled: false });
  assert.deepEqual(fates(customers, "topics"), ["waiting"]);
  customers.orderChanged({ id: "one", status: "payment_declined", settled: true });
  assert.deepEqual(fates(customers, "topics"), ["away"]);
});

test("an answer that was overtaken by an event changes nothing", () => {
  const customers = new Customers();
  customers.topicsAnswered(customers.ask(), accepted);
  customers.orderChanged({ id: "one", status: "confirmed", settled: true, updated_at: "2030-01-01T12:00:01.000Z" });
  customers.orderChanged({ id: "one", status: "tickets_reserved", settled: false, updated_at: "2030-01-01T12:00:00.500Z" });
  assert.deepEqual(fates(customers, "topics"), ["ticket"]);
});

test("whom the chain charged without a ticket its ledger says: those without a reply first", () => {
  const customers = new Customers();
  turnedAway(customers, 503);
  turnedAway(customers, 504);
  customers.chainAnswered(customers.ask(), { status: 200, took: 9, order: "paid" });
  customers.chainLedger([payment("paid"), payment("lost"), payment("refunded", 100, 100)]);
  assert.deepEqual(fates(customers, "chain"), ["away", "charged", "ticket"]);
});

test("a charge is not held against the chain while the customer may still get a ticket for it", () => {
  const customers = new Customers();
  turnedAway(customers, 504);
  customers.ask();
  customers.chainLedger([payment("unknown")], 1);
  assert.deepEqual(fates(customers, "chain"), ["away", "spinning"]);
  customers.chainLedger([payment("unknown"), payment("another")], 1);
  assert.deepEqual(fates(customers, "chain"), ["charged", "spinning"]);
});

test("a customer of the topics is charged without a ticket only where the ledger kept the money of an order that ended", () => {
  const customers = new Customers();
  customers.topicsAnswered(customers.ask(), accepted);
  customers.topicsLedger([payment("one")]);
  assert.deepEqual(fates(customers, "topics"), ["waiting"]);
  customers.orderChanged({ id: "one", status: "cancelled", settled: true });
  assert.equal(customers.doubtful(), true);
  customers.topicsLedger([payment("one")]);
  assert.deepEqual(fates(customers, "topics"), ["charged"]);
  customers.topicsLedger([payment("one", 100, 100)]);
  assert.deepEqual(fates(customers, "topics"), ["away"]);
});

test("the figures count every customer, and only the latest have a tile", () => {
  const customers = new Customers();
  for (let count = 0; count < MOST_TILES + 40; count += 1) turnedAway(customers, 503);
  assert.equal(customers.tiles("chain").length, MOST_TILES);
  assert.equal(customers.tiles("chain").at(-1).number, MOST_TILES + 40);
  assert.equal(customers.figures("chain").away, MOST_TILES + 40);
});

test("without the chain its side has no customers", () => {
  const customers = new Customers();
  customers.ask({ chain: false });
  assert.deepEqual([customers.figures("chain").asked, customers.figures("topics").asked], [0, 1]);
});

test("the p99 is the value that 99 of 100 do not exceed", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile([7], 0.99), 7);
  assert.equal(percentile([3, 1, 2], 0.5), 2);
  assert.deepEqual([percentile([], 0.99), seconds(null), seconds(12)], [null, "–", "0.01 s"]);
});

test("the tiles are one sentence for those who do not see them", () => {
  const customers = new Customers();
  assert.equal(summary("Topics", customers.figures("topics")), "Topics: no customers yet.");
  turnedAway(customers, 503);
  const text = "REST chain: 1 customer, 0 with a ticket, 1 turned away, 0 charged without a ticket, 0 still waiting.";
  assert.equal(summary("REST chain", customers.figures("chain")), text);
});
