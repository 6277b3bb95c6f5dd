// Every booking that the API can answer: all paths through the states of
// functions/booking-gateway/src/order.rs, with what docs/openapi.yaml says of each field.

const MINUTE_MS = 60_000;
const START = Date.parse("2026-11-22T09:00:00Z");

const SEATS = ["tickets"];
const MONEY = ["payment"];
const BOTH = ["tickets", "payment"];
const expired = { reason: "expired" };
const byCustomer = { reason: "cancelled_by_customer" };
const answered = (events, next) => events.map((event) => ({ event, next }));
const NO_SEATS = ["tickets_released", "tickets_unavailable"];
const NO_MONEY = ["payment_reversed", "payment_declined"];

const STATES = {
  pending: {
    status: "pending",
    awaiting: SEATS,
    inputs: [
      { event: "tickets_reserved", next: "tickets_reserved", sets: { amount: { value: 25900, currency: "EUR" } } },
      { event: "tickets_unavailable", next: "rejected", sets: { reason: "sold_out" } },
      { event: "tickets_unavailable", next: "rejected", sets: { reason: "unknown_flight" } },
      { event: "tickets_unavailable", next: "rejected", sets: { reason: "departed" } },
      { event: "tickets_unavailable", next: "rejected", sets: { reason: "price_changed" } },
      { event: "cancel_requested", next: "cancelling_tickets", sets: byCustomer },
      { event: "deadline_passed", next: "cancelling_tickets", sets: expired },
    ],
  },
  tickets_reserved: {
    status: "tickets_reserved",
    awaiting: MONEY,
    inputs: [
      { event: "payment_captured", next: "confirmed" },
      { event: "payment_declined", next: "releasing_declined", sets: { reason: "card_declined" } },
      { event: "payment_declined", next: "cancelling_tickets", sets: expired },
      { event: "cancel_requested", next: "cancelling_both", sets: byCustomer },
      { event: "deadline_passed", next: "cancelling_both", sets: expired },
    ],
  },
  confirmed: {
    status: "confirmed",
    awaiting: [],
    inputs: [{ event: "cancel_requested", next: "cancelling_both", sets: byCustomer }],
  },
  rejected: { status: "rejected", awaiting: [], inputs: [] },
  releasing_declined: { status: "payment_declined", awaiting: SEATS, inputs: answered(NO_SEATS, "payment_declined") },
  payment_declined: { status: "payment_declined", awaiting: [], inputs: [] },
  cancelling_both: {
    status: "cancelling",
    awaiting: BOTH,
    inputs: [...answered(NO_SEATS, "cancelling_payment"), ...answered(NO_MONEY, "cancelling_tickets")],
  },
  cancelling_tickets: { status: "cancelling", awaiting: SEATS, inputs: answered(NO_SEATS, "cancelled") },
  cancelling_payment: { status: "cancelling", awaiting: MONEY, inputs: answered(NO_MONEY, "cancelled") },
  cancelled: { status: "cancelled", awaiting: [], inputs: [] },
};

const at = (index) => new Date(START + index * MINUTE_MS).toISOString();

/** The booking in `state` after `events`, the last of which is its latest change. */
function booking(state, events, known) {
  const { status, awaiting } = STATES[state];
  const history = events.map((entry, index) => ({ at: at(index), ...entry }));
  const updated = history.at(-1).at;
  return {
    id: "0b5e7c5a-8f0e-4c43-9f5d-4f1f6f0f2a11",
    status,
    awaiting,
    settled: awaiting.length === 0,
    reason: null,
    flight_id: "OS-101",
    seats: 2,
    amount: null,
    passenger: { name: "Ada Byron", email: "ada@example.com" },
    history,
    waiting_since: awaiting.length ? updated : null,
    expires_at: new Date(START + 48 * 60 * MINUTE_MS).toISOString(),
    created_at: history[0].at,
    updated_at: updated,
    ...known,
  };
}

function walk(state, events, known) {
  const here = booking(state, events, known);
  const next = STATES[state].inputs.flatMap(({ event, next, sets }) =>
    walk(next, [...events, { status: STATES[next].status, event }], { ...known, ...sets }));
  return [here, ...next];
}

export const bookings = walk("pending", [{ status: "pending", event: "accepted" }], {});

/** What a booking is, in one line: its name in a failed test. */
export const nameOf = ({ status, awaiting, reason, history }) =>
  `${status} [${awaiting}] ${reason}: ${history.map(({ event }) => event).join(", ")}`;
