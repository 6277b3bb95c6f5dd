// Customers who book in both systems at once: each is sent to the topics and to the chain.
//
// A browser keeps six connections to a host, and a customer of the chain may hold one for seconds. So at most four are
// sent to the chain at a time, and while more wait for their turn, no new customers come.

import { call, get, pages } from "./api.js";
import { Customers } from "./customers.js";

const CHAIN_AT_A_TIME = 4;
const MOST_IN_LINE = 8;
const FLIGHTS_MS = 5_000;
const AGAIN_MS = 1_000;
const LOST_MS = 120_000;

export const customers = new Customers();

let hasChain = true;
let changed = () => {};
let flights = [];
let flightsAt = -Infinity;
let asking = 0;
let ledgerStart = null;
const line = [];

/** `onChange` is called when a customer was answered; `chain` says whether this server has the chain. */
export function prepare({ onChange }) {
  changed = onChange;
}

export const setChain = (chain) => (hasChain = chain);

/** One customer books. Rejects with what the operator should read if none can. */
export async function bookOne() {
  const flight = await choose();
  const order = {
    flight_id: flight.id,
    seats: 1,
    passenger: { name: "Ada Byron", email: "ada@example.com" },
    payment_method: "pm_card_visa",
    expected_amount: flight.price,
  };
  if (hasChain) await rememberLedger();
  const number = customers.ask({ chain: hasChain });
  changed();
  const topics = byTopics(number, order);
  if (hasChain) {
    line.push({ number, order });
    serve();
  }
  await topics;
}

/** Whether the line before the chain is so long that no new customers should come. */
export const isCrowded = () => line.length >= MOST_IN_LINE;

async function byTopics(number, order) {
  const answer = await measured("bookings", order);
  customers.topicsAnswered(number, { ...answer, order: answer.content?.id ?? null });
  changed();
}

function serve() {
  while (asking < CHAIN_AT_A_TIME && line.length) byChain(line.shift());
}

async function byChain({ number, order }) {
  asking += 1;
  const answer = await measured("rest-chain/bookings", order);
  asking -= 1;
  customers.chainAnswered(number, { ...answer, order: answer.content?.id ?? null });
  changed();
  serve();
}

/**
 * An answer and how long it took, in milliseconds. Where the connection ends without one, the customer asks again under the
 * same key, in both systems: the same order is booked once.
 */
async function measured(path, order) {
  const began = performance.now();
  const took = () => performance.now() - began;
  const key = crypto.randomUUID();
  for (;;) {
    try {
      const content = await call("POST", path, order, { headers: { "Idempotency-Key": key } });
      return { status: path === "bookings" ? 202 : 200, content, took: took(), why: "" };
    } catch ({ status, message }) {
      if (status || took() > LOST_MS) return { status, took: took(), why: message };
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** A flight with free seats; one with more of them more often, so that they last, and a nearly full one only at the end. */
async function choose() {
  if (performance.now() - flightsAt > FLIGHTS_MS) {
    flights = await get("flights");
    flightsAt = performance.now();
  }
  const most = Math.max(0, ...flights.map(({ seats_left: left }) => left));
  const open = flights.filter(({ seats_left: left }) => left > most / 10);
  let turn = Math.random() * open.reduce((sum, { seats_left: left }) => sum + left, 0);
  const flight = open.find(({ seats_left: left }) => (turn -= left) < 0);
  if (!flight) throw new Error("All seats of all flights are sold. Start a server with a new data directory, or add flights to it.");
  flight.seats_left -= 1;
  return flight;
}

/** The newest payment of the chain before the first customer: what is older is not theirs. */
async function rememberLedger() {
  if (ledgerStart !== null) return;
  ledgerStart = "";
  try {
    const { items } = await get("rest-chain/payments?limit=1");
    ledgerStart = items[0]?.booking_id ?? "";
  } catch {
    ledgerStart = null;
  }
}

/** Compares both ledgers with what the customers were told. */
export async function compareLedgers() {
  if (hasChain && ledgerStart !== null && customers.figures("chain").away + customers.figures("chain").charged > 0) {
    customers.chainLedger(await pages("rest-chain/payments", { ends: ({ booking_id: id }) => id === ledgerStart }), asking);
  }
  if (customers.doubtful()) customers.topicsLedger(await pages("operator/payments"));
  changed();
}
