import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { access, another, deadline, headline, label, reach, spoken, steps, tone } from "../texts.js";
import { bookings, nameOf } from "./bookings.mjs";

const textOf = (booking) => headline(booking).join(". ");
const titlesOf = (booking, state) => steps(booking).filter((step) => step.state === state).map(({ title }) => title);
const saysAll = (booking) =>
  [label(booking), ...headline(booking), deadline(booking), ...steps(booking).flatMap(({ title, detail, time }) => [title, detail, time ?? ""])].join("\n");
const happened = ({ history }, event) => history.some((entry) => entry.event === event);

/** Checks each of the bookings that `which` selects; at least one must be. */
function each(which, check) {
  const chosen = bookings.filter(which);
  assert.ok(chosen.length, "no such booking");
  for (const booking of chosen) {
    try {
      check(booking);
    } catch (error) {
      error.message = `${nameOf(booking)}\n${saysAll(booking)}\n${error.message}`;
      throw error;
    }
  }
}

const openapi = readFileSync(new URL("../../docs/openapi.yaml", import.meta.url), "utf8");
const names = (list) => list.split(/[,\s-]+/).filter(Boolean).sort();
const inOpenapi = (pattern) => names(openapi.match(pattern)[1]);
const inBookings = (values) => [...new Set(bookings.flatMap(values))].map(String).sort();

test("the bookings of these tests cover every status, awaiting, reason and event of the API", () => {
  assert.deepEqual(inBookings(({ status }) => status), inOpenapi(/Status:\n\s+enum: \[([^\]]+)\]/));
  assert.deepEqual(inBookings(({ awaiting }) => awaiting), inOpenapi(/awaiting:\n[^[]*items: \{ enum: \[([^\]]+)\]/));
  assert.deepEqual(inBookings(({ reason }) => reason), inOpenapi(/reason:\n[^[]*enum: \[([^\]]+)\]/));
  assert.deepEqual(inBookings(({ history }) => history.map(({ event }) => event)), inOpenapi(/event:\n\s+enum:\n((?:\s+- \w+\n)+)/));
});

test("every booking has a text, without a name of the API or a missing value in it", () => {
  each(() => true, (booking) => {
    const [title, summary] = headline(booking);
    for (const text of [label(booking), title, summary, ...steps(booking).map((step) => step.title)]) assert.match(text, /^\S.*\S$/);
    assert.match(summary, /\.$/);
    assert.doesNotMatch(saysAll(booking), /undefined|null|NaN|Invalid|object|_/);
    assert.doesNotMatch(textOf(booking), /does not know/);
  });
});

const TITLES = {
  accepted: ["Booking received"],
  tickets_reserved: ["Seats held"],
  tickets_unavailable: ["Sold out", "No such flight", "Flight has departed", "Price has changed", "No seats were held"],
  tickets_released: ["Seats released"],
  payment_captured: ["Paid"],
  payment_declined: ["Card declined", "Not paid in time", "No charge was made"],
  payment_reversed: ["Payment refunded", "Charge cancelled"],
  cancel_requested: ["Cancellation requested"],
  deadline_passed: ["Deadline passed"],
};

test("every event of the history is a step, in order", () => {
  each(() => true, (booking) => {
    for (const [index, { event, at }] of booking.history.entries()) {
      const step = steps(booking)[index];
      assert.equal(step.at, at);
      assert.ok(TITLES[event].includes(step.title), event);
    }
  });
});

test("an open booking says what it waits for and what comes next; a settled booking does not", () => {
  each(({ settled }) => !settled, (booking) => {
    assert.equal(titlesOf(booking, "now").length, booking.awaiting.length);
    if (booking.status !== "payment_declined") assert.ok(titlesOf(booking, "next").length);
  });
  each(({ settled }) => settled, (booking) => {
    // Whether a mail was sent the gateway does not know.
    const open = booking.status === "confirmed" ? ["A mail is on its way"] : [];
    assert.deepEqual([...titlesOf(booking, "now"), ...titlesOf(booking, "next")], open);
  });
});

test("each wait has its own text", () => {
  const now = (which) => bookings.filter(which).map((booking) => titlesOf(booking, "now"));
  for (const titles of now(({ status }) => status === "pending")) assert.deepEqual(titles, ["Reserving your seats"]);
  for (const titles of now(({ status }) => status === "tickets_reserved")) assert.deepEqual(titles, ["Charging your card"]);
  each(({ status }) => status === "cancelling", (booking) => {
    const money = happened(booking, "payment_captured") ? "Payment being refunded" : "Charge being cancelled";
    const expected = booking.awaiting.map((what) => (what === "tickets" ? "Seats being released" : money));
    assert.deepEqual(titlesOf(booking, "now"), expected);
  });
});

test("a wait says since when, and that it is slow only where it is", () => {
  each(({ settled }) => !settled, (booking) => {
    const detail = (slow) => steps(booking, slow).find(({ state }) => state === "now").detail;
    assert.match(detail(false), /^Since .*\d\d:\d\d\./);
    assert.doesNotMatch(detail(false), /longer than usual/);
    assert.match(detail(true), /longer than usual/);
  });
});

test("a screen reader is told the news, what is newly done, and what comes next", () => {
  const [pending] = bookings.filter(({ status }) => status === "pending");
  const held = bookings.find(({ status, history }) => status === "tickets_reserved" && history.length === 2);
  const paid = bookings.find(({ status, history }) => status === "confirmed" && history.length === 3);
  assert.match(spoken(pending), /^Booking received\..*Done: Booking received\. Next: Reserving your seats\.$/);
  assert.match(spoken(held, steps(pending)), /^Your seats are held\..*Done: Seats held\. Next: Charging your card\.$/);
  assert.match(spoken(paid, steps(held)), /^Booking confirmed\..*Done: Paid, Confirmed\. Next: A mail is on its way\.$/);
});

const FLIGHT = { id: "OS-101", seats_left: 180, price: { value: 12950, currency: "EUR" } };

test("a declined card is followed by another one, with everything else kept", () => {
  each(({ status }) => status === "payment_declined", (booking) => {
    const { button, draft } = another(booking, FLIGHT);
    assert.equal(button, "Try another card");
    assert.deepEqual(draft, { flight: "OS-101", seats: 2, passenger: booking.passenger, card: false });
  });
});

test("too few seats are offered, as many as there are and were asked for", () => {
  each(({ reason }) => reason === "sold_out", (booking) => {
    const offered = (left) => another(booking, { ...FLIGHT, seats_left: left });
    assert.deepEqual([offered(0).button, offered(0).note], ["", "No seat is left on this flight at the moment."]);
    assert.deepEqual([offered(1).button, offered(1).note, offered(1).draft.seats], ["Book 1 seat instead", "1 seat is left on this flight.", 1]);
    assert.deepEqual([offered(5).button, offered(5).draft.seats], ["Try again", 2], "they came free meanwhile");
  });
});

test("a changed price is offered as it is now", () => {
  each(({ reason }) => reason === "price_changed", (booking) => {
    assert.deepEqual([another(booking, FLIGHT).button, another(booking, FLIGHT).note], ["Book at the new price", "A seat costs €129.50 now."]);
  });
});

test("nothing is offered in place of a booking that stands or was undone, of a flight that is not on sale, or to everyone", () => {
  const ended = ({ status, reason }) => status === "payment_declined" || (status === "rejected" && ["sold_out", "price_changed"].includes(reason));
  each((booking) => !ended(booking), (booking) => assert.equal(another(booking, FLIGHT), null));
  each(() => true, (booking) => {
    assert.equal(another(booking, undefined), null);
    assert.equal(another({ ...booking, passenger: null }, FLIGHT), null);
  });
});

test("each view says what its link lets a reader do", () => {
  assert.match(reach(bookings[0]), /can see and cancel the booking/);
  assert.match(reach({ ...bookings[0], passenger: null }), /nothing personal/);
});

test("the deadline is shown only while the booking may expire", () => {
  each(() => true, (booking) => {
    assert.equal(deadline(booking) !== "", ["pending", "tickets_reserved"].includes(booking.status));
  });
});

test("rejected says why, and that nothing was charged", () => {
  each(({ reason }) => reason === "sold_out", (booking) => {
    assert.equal(textOf(booking), "Sold out. Flight OS-101 does not have 2 seats left. Nothing was charged.");
  });
  each(({ reason }) => reason === "unknown_flight", (booking) => {
    assert.equal(textOf(booking), "No such flight. There is no flight OS-101. Nothing was charged.");
  });
  each(({ reason }) => reason === "departed", (booking) => {
    assert.equal(textOf(booking), "Flight has departed. Flight OS-101 has left. Nothing was charged.");
  });
  each(({ reason }) => reason === "price_changed", (booking) => {
    const text = "Price has changed. Flight OS-101 has another price now. You can book again at that price. Nothing was charged.";
    assert.equal(textOf(booking), text);
  });
});

test("declined says that nothing was charged, and that the seats are released only after they are", () => {
  each(({ status }) => status === "payment_declined", (booking) => {
    assert.match(textOf(booking), /Nothing was charged/);
    assert.match(textOf(booking), booking.settled ? /have been released/ : /are being released/);
  });
});

test("only a paid booking is called confirmed or paid", () => {
  each(({ status }) => status === "confirmed", (booking) => {
    assert.match(textOf(booking), /booked and paid/);
    assert.equal(tone(booking), "good");
  });
  each((booking) => !happened(booking, "payment_captured"), (booking) => {
    assert.doesNotMatch(saysAll(booking).replace("Not paid in time", ""), /confirmed|\bpaid\b|refund/i);
  });
});

test("a paid booking that is cancelled is refunded in full, and \"was refunded\" only after it is", () => {
  const refunded = (booking) => happened(booking, "payment_captured") && booking.status !== "confirmed";
  each(refunded, (booking) => {
    const pending = booking.awaiting.includes("payment");
    assert.match(textOf(booking), pending ? /€259\.00 is being refunded to your card/ : /€259\.00 was refunded to your card/);
    assert.doesNotMatch(saysAll(booking), /Nothing was charged/);
  });
});

test("a booking whose charge may have been made does not claim that nothing was charged", () => {
  const cancelled = ({ status, amount }) => (status === "cancelling" || status === "cancelled") && amount;
  each(cancelled, (booking) => assert.doesNotMatch(textOf(booking), /Nothing was charged/));
  each((booking) => cancelled(booking) && !happened(booking, "payment_captured"), (booking) => {
    assert.match(textOf(booking), /Nothing stays charged/);
  });
});

test("a cancelled booking that never held seats says that nothing was charged", () => {
  each(({ status, amount }) => (status === "cancelling" || status === "cancelled") && !amount, (booking) => {
    assert.match(textOf(booking), /Nothing was charged/);
  });
});

test("\"as you asked\" is only for the customer's cancellation, \"expired\" only for the deadline", () => {
  each(() => true, (booking) => {
    if (booking.reason !== "cancelled_by_customer") assert.doesNotMatch(saysAll(booking), /as you asked|By you/);
    assert.equal(/expired|in time|Deadline/.test(saysAll(booking).replace(deadline(booking), "")), booking.reason === "expired");
  });
});

test("a mail is promised to the passenger's address", () => {
  each(({ status }) => ["pending", "tickets_reserved", "confirmed"].includes(status), (booking) => {
    assert.match(textOf(booking), /ada@example\.com/);
  });
});

test("one seat is not \"1 seats\"", () => {
  each(() => true, (booking) => assert.doesNotMatch(saysAll({ ...booking, seats: 1 }), /\b1 seats/));
});

// Without its token a booking has no passenger.

const everyones = bookings.map((booking) => ({ ...booking, passenger: null }));

test("the view for everyone has a text for every booking, has no name, and does not speak to the customer", () => {
  for (const booking of everyones) {
    const text = saysAll(booking);
    for (const line of [label(booking), ...headline(booking), ...steps(booking).map(({ title }) => title)]) assert.match(line, /^\S.*\S$/);
    assert.doesNotMatch(text, /undefined|null|NaN|object|_|Ada|@|\byou\b|\byours?\b/i);
  }
});

test("the view for everyone has the same status, steps and times as the customer's", () => {
  for (const [index, booking] of everyones.entries()) {
    const neutral = (title) => title.replace("your", "the");
    const shape = (one) => [label(one), tone(one), deadline(one), steps(one).map(({ state, title, at }) => [state, neutral(title), at])];
    assert.deepEqual(shape(booking), shape(bookings[index]));
  }
});

test("each view says what it may do", () => {
  assert.match(access(bookings[0]), /key to the booking.*cancel it.*people you trust/);
  assert.match(access(everyones[0]), /not shown here.*the link in its mail/);
});

// A newer server may answer what this version of the page does not know.

const newer = (change) => ({ ...bookings[0], ...change });

test("an unknown status is shown in words, with no promise", () => {
  for (const [awaiting, settled] of [[["tickets"], false], [[], true]]) {
    const booking = newer({ status: "on_waiting_list", awaiting, settled, reason: "no_seats_yet" });
    assert.equal(label(booking), "On waiting list");
    assert.equal(tone(booking), "open");
    assert.deepEqual(headline(booking), ["On waiting list", "This page does not know this status yet. Please reload it."]);
    assert.equal(deadline(booking), "");
    assert.doesNotMatch(saysAll(booking), /undefined|null|_|charged|refund/);
  }
});

test("an unknown reason does not get the text of a known one", () => {
  each(({ reason }) => reason, (known) => {
    const booking = { ...known, reason: "aircraft_changed" };
    const text = saysAll(booking);
    assert.doesNotMatch(text, /undefined|null|_|Sold out|No such flight|as you asked|expired/);
  });
  const rejected = { ...bookings.find(({ status }) => status === "rejected"), reason: "aircraft_changed" };
  assert.equal(textOf(rejected), "Not booked. Flight OS-101 could not be booked. Nothing was charged.");
});

test("an unknown event is a step in words", () => {
  const booking = newer({ history: [...bookings[0].history, { at: bookings[0].updated_at, status: "pending", event: "seat_map_changed" }] });
  assert.equal(steps(booking)[1].title, "Seat map changed");
});

test("an unknown wait is shown in words", () => {
  assert.match(titlesOf(newer({ awaiting: ["visa_check"] }), "now")[0], /^Waiting for visa check$/);
});
