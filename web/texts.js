// What the page says about a booking: its status, what it waits for, what comes next. Pure: no DOM.
// A later server may send statuses, reasons and events that are not listed here: they get a plain text.
// `passenger` is null in the view that everyone may see: its texts have no name, and do not speak to the customer.

import { moment, money, seats, stamp, words } from "./formats.js";

const PATIENCE = "You do not have to do anything. You can close this page.";
const SLOW = "This takes longer than usual. The booking is stored, and we keep trying.";
const UNCHARGED = "Nothing was charged.";

const wasPaid = ({ history }) => history.some(({ event }) => event === "payment_captured");
const isExpired = ({ reason }) => reason === "expired";
const isCancelled = ({ status }) => status === "cancelling" || status === "cancelled";
const your = ({ passenger }) => (passenger ? "your" : "the");
const Your = ({ passenger }) => (passenger ? "Your" : "The");
// An order cancelled while its charge was under way may have been charged for a moment.
const notKept = (booking) => `Nothing stays charged to ${your(booking)} card.`;

const LABELS = {
  pending: "Pending",
  tickets_reserved: "Seats held",
  confirmed: "Confirmed",
  rejected: "Not booked",
  payment_declined: "Card declined",
  cancelling: "Cancelling",
  cancelled: "Cancelled",
};
export const label = ({ status }) => LABELS[status] ?? words(status);

/** The kind of status, for its colours: `open`, `good`, `bad` or `over`. */
export function tone({ status }) {
  if (status === "confirmed") return "good";
  if (status === "rejected" || status === "payment_declined") return "bad";
  return isCancelled({ status }) ? "over" : "open";
}

/** The title and the sentence at the top. */
export function headline(booking) {
  const { status, awaiting, passenger } = booking;
  const wait = passenger ? ` ${PATIENCE} We write to ${passenger.email}.` : "";
  switch (status) {
    case "pending":
      return ["Booking received", `${Your(booking)} seats are requested.${wait}`];
    case "tickets_reserved":
      return [`${Your(booking)} seats are held`, `${Your(booking)} card is being charged.${wait}`];
    case "confirmed":
      return ["Booking confirmed", `${Your(booking)} seats are booked and paid.${passenger ? ` A mail is on its way to ${passenger.email}.` : ""}`];
    case "rejected":
      return [unavailable(booking), `${whyUnavailable(booking)} ${UNCHARGED}`];
    case "payment_declined": {
      const released = awaiting.includes("tickets") ? "are being released" : "have been released";
      return ["Card declined", `${Your(booking)} card was declined. ${Your(booking)} seats ${released}. ${UNCHARGED}`];
    }
    case "cancelling":
      return isExpired(booking)
        ? ["Booking expired", `It could not be finished in time and is being cancelled. ${moneyOf(booking)}`]
        : [`Cancelling ${your(booking)} booking`, `${Your(booking)} booking is being cancelled. ${moneyOf(booking)}`];
    case "cancelled":
      return isExpired(booking)
        ? ["Booking expired", `It could not be finished in time and was cancelled. ${moneyOf(booking)}`]
        : ["Booking cancelled", `${whyCancelled(booking)} ${moneyOf(booking)}`];
    default:
      return [label(booking), "This page does not know this status yet. Please reload it."];
  }
}

function unavailable({ reason }) {
  const titles = {
    sold_out: "Sold out",
    unknown_flight: "No such flight",
    departed: "Flight has departed",
    price_changed: "Price has changed",
  };
  return titles[reason] ?? "Not booked";
}

function whyUnavailable({ reason, flight_id: flight, seats: count, passenger }) {
  if (reason === "sold_out") return `Flight ${flight} does not have ${seats(count)} left.`;
  if (reason === "unknown_flight") return `There is no flight ${flight}.`;
  if (reason === "departed") return `Flight ${flight} has left.`;
  if (reason === "price_changed") return `Flight ${flight} has another price now.${passenger ? " You can book again at that price." : ""}`;
  return `Flight ${flight} could not be booked.`;
}

function whyCancelled(booking) {
  const asked = booking.passenger && booking.reason === "cancelled_by_customer" ? " as you asked" : "";
  return `${Your(booking)} booking was cancelled${asked}.`;
}

/** What happens to the money of a cancelled booking. */
function moneyOf(booking) {
  if (!booking.amount) return UNCHARGED; // no charge is requested before seats are held
  if (!wasPaid(booking)) return notKept(booking);
  const refunded = booking.awaiting.includes("payment") ? "is being refunded" : "was refunded";
  return `${money(booking.amount)} ${refunded} to ${your(booking)} card.`;
}

/** When an unfinished booking expires; empty for every other booking. */
export function deadline({ status, expires_at: at }) {
  if (status !== "pending" && status !== "tickets_reserved") return "";
  return `We keep trying until ${moment(at)}. Then the booking expires, and nothing stays charged.`;
}

/** What this view of the booking may do, and how to keep or get more. */
export const access = ({ passenger }) =>
  passenger
    ? "The address of this page is the key to the booking: who has it can see and cancel it. Share it only with people you trust."
    : "What is personal is not shown here. To change the booking, use the browser it was booked in, or the link in its mail.";

/** What a copied link of this view lets its reader do. */
export const reach = (booking) =>
  booking?.passenger
    ? "Copied. Who has this link can see and cancel the booking."
    : "Copied. Who has this link sees the flight and the status, and nothing personal.";

// The text of each event in the history: title, detail, state. During a cancellation, "unavailable"
// means that no seats were held, and "declined" that no charge was made.
const EVENTS = {
  accepted: (booking) => ["Booking received", `${seats(booking.seats)} on ${booking.flight_id}`],
  tickets_reserved: ({ amount }) => ["Seats held", amount ? `${money(amount)} in all` : ""],
  tickets_unavailable: (booking, entry) =>
    entry.status === "rejected" ? [unavailable(booking), UNCHARGED, "stop"] : ["No seats were held"],
  tickets_released: () => ["Seats released"],
  payment_captured: ({ amount, passenger }) => ["Paid", passenger ? `${money(amount)} from the card of ${passenger.name}` : money(amount)],
  payment_declined: (booking, entry) => {
    if (!isCancelled(entry)) return ["Card declined", UNCHARGED, "stop"];
    return isExpired(booking) ? ["Not paid in time", UNCHARGED, "stop"] : ["No charge was made"];
  },
  payment_reversed: (booking) => (wasPaid(booking) ? ["Payment refunded", money(booking.amount)] : ["Charge cancelled", notKept(booking)]),
  cancel_requested: ({ passenger }) => ["Cancellation requested", passenger ? "By you" : "By the customer", "stop"],
  deadline_passed: () => ["Deadline passed", "The booking could not be finished in time.", "stop"],
};

function past(booking) {
  return booking.history.map((entry) => {
    const [title, detail = "", state = "done"] = EVENTS[entry.event]?.(booking, entry) ?? [words(entry.event)];
    return { state, title, detail, at: entry.at, time: stamp(entry.at) };
  });
}

function present(booking, slow) {
  const waiting = { tickets: `Reserving ${your(booking)} seats`, payment: `Charging ${your(booking)} card` };
  const undoing = { tickets: "Seats being released", payment: wasPaid(booking) ? "Payment being refunded" : "Charge being cancelled" };
  const titles = tone(booking) === "open" ? waiting : undoing;
  return booking.awaiting.map((what) => ({
    state: "now",
    title: titles[what] ?? `Waiting for ${words(what).toLowerCase()}`,
    detail: [`Since ${moment(booking.waiting_since)}.`, slow && SLOW, booking.passenger && PATIENCE].filter(Boolean).join(" "),
  }));
}

function future(booking) {
  const { status } = booking;
  const confirmation = { state: "next", title: "Confirmation", detail: mail(booking) };
  const payment = { state: "next", title: "Payment", detail: "Charged only once the seats are held" };
  const end = { state: "next", title: ending(booking), detail: "" };
  return { pending: [payment, confirmation], tickets_reserved: [confirmation], cancelling: [end] }[status] ?? [];
}

function end(booking) {
  const { status, updated_at: at } = booking;
  const close = (title, detail) => [{ state: "done", title, detail, at, time: stamp(at) }];
  // That a mail was sent is known to the Email Service alone: its step stays open.
  if (status === "confirmed") return [...close("Confirmed", ""), { state: "next", title: "A mail is on its way", detail: addressee(booking) }];
  if (status === "cancelled") return close(ending(booking), "");
  return [];
}

const mail = ({ passenger }) => (passenger ? `E-mail to ${passenger.email}` : "By e-mail");
const addressee = ({ passenger }) => (passenger ? `To ${passenger.email}` : "To the passenger");

const ending = (booking) => (isExpired(booking) ? "Expired" : "Cancelled");

/**
 * All steps of a booking, in order: `{ state: "done" | "stop" | "now" | "next", title, detail, at, time }`. `slow`: it
 * has waited longer than usual for what it waits for.
 */
export const steps = (booking, slow = false) => [...past(booking), ...present(booking, slow), ...future(booking), ...end(booking)];

/** From how long a wait on is called slow, in milliseconds. */
export const USUAL_MS = 10_000;

/** What a screen reader says when a booking has changed: the news, and the steps that were not done before. */
export function spoken(booking, before = []) {
  const [title, summary] = headline(booking);
  const known = new Set(before.filter(isOver).map((step) => step.title));
  const all = steps(booking);
  const done = all.filter((step) => isOver(step) && !known.has(step.title)).map((step) => step.title);
  const ahead = all.find((step) => !isOver(step));
  return [`${title}.`, summary, done.length && `Done: ${done.join(", ")}.`, ahead && `Next: ${ahead.title}.`].filter(Boolean).join(" ");
}

const isOver = ({ state }) => state === "done" || state === "stop";

/**
 * Another order in place of one that came to nothing: `{ button, note, draft }`, or null. The draft has all but the
 * card where that was refused. `flight` is the flight as it is on sale now, undefined if it is not.
 */
export function another(booking, flight) {
  const { status, reason, seats: count, passenger } = booking;
  if (!passenger || !flight) return null;
  const draft = { flight: flight.id, seats: count, passenger, card: true };
  if (status === "payment_declined") {
    return { button: "Try another card", note: "Flight, seats and passenger will be filled in for you.", draft: { ...draft, card: false } };
  }
  if (status !== "rejected") return null;
  if (reason === "price_changed") return { button: "Book at the new price", note: `A seat costs ${money(flight.price)} now.`, draft };
  if (reason !== "sold_out") return null;
  const left = Math.min(flight.seats_left, count);
  if (left === 0) return { button: "", note: "No seat is left on this flight at the moment.", draft };
  const note = `${seats(flight.seats_left)} ${flight.seats_left === 1 ? "is" : "are"} left on this flight.`;
  return { button: left < count ? `Book ${seats(left)} instead` : "Try again", note, draft: { ...draft, seats: left } };
}
