// A booking in plain words: what happened, what it waits for, what comes next. Pure: no DOM.

const LOCALE = "en-GB"; // the page speaks English, whatever the browser speaks

export function money({ value, currency }) {
  const format = new Intl.NumberFormat(LOCALE, { style: "currency", currency });
  // Amounts are in minor units, and currencies differ in how many digits those have.
  return format.format(value / 10 ** format.resolvedOptions().maximumFractionDigits);
}

const inWords = (options) => {
  const format = new Intl.DateTimeFormat(LOCALE, options);
  return (time) => format.format(new Date(time));
};
export const day = inWords({ weekday: "short", day: "numeric", month: "short" });
export const hour = inWords({ hour: "2-digit", minute: "2-digit" });
const second = inWords({ hour: "2-digit", minute: "2-digit", second: "2-digit" });

const isToday = (time) => new Date(time).toDateString() === new Date().toDateString();
const moment = (time) => (isToday(time) ? hour(time) : `${day(time)}, ${hour(time)}`);
const stamp = (time) => (isToday(time) ? second(time) : `${day(time)}, ${second(time)}`);

export const seats = (count) => (count === 1 ? "1 seat" : `${count} seats`);

const PATIENCE = "Nothing for you to do, you can close this page.";
const UNCHARGED = "Nothing was charged.";
// An order called off while its charge was under way may have been charged for a moment.
const NOT_KEPT = "Nothing stays charged to your card.";

const wasPaid = ({ history }) => history.some(({ event }) => event === "payment_captured");
const isExpired = ({ reason }) => reason === "expired";
function moneyBack(booking) {
  if (wasPaid(booking)) return `${money(booking.amount)} goes back to your card.`;
  return booking.amount ? NOT_KEPT : UNCHARGED; // before seats are held, no charge is even asked for
}
const ending = (booking) => (isExpired(booking) ? "Expired" : "Cancelled");
const calledOff = ({ status }) => status === "cancelling" || status === "cancelled";

const LABELS = {
  pending: "Pending",
  tickets_reserved: "Seats held",
  confirmed: "Confirmed",
  rejected: "Not booked",
  payment_declined: "Card declined",
  cancelling: "Cancelling",
  cancelled: "Cancelled",
};
export const label = ({ status }) => LABELS[status] ?? status;

/** How it looks from afar: `open`, `good`, `bad` or `over`. */
export function tone({ status }) {
  if (status === "confirmed") return "good";
  if (status === "rejected" || status === "payment_declined") return "bad";
  return calledOff({ status }) ? "over" : "open";
}

/** The title and the sentence at the top. */
export function headline(booking) {
  const { status, reason, settled, flight_id: flight, passenger } = booking;
  const wait = `There is nothing for you to do: you can close this page, and we write to ${passenger.email}.`;
  switch (status) {
    case "pending":
      return ["Booking received", `Your booking is pending while we ask for seats. ${wait}`];
    case "tickets_reserved":
      return ["Your seats are held", `The payment comes next. ${wait}`];
    case "confirmed":
      return ["Booking confirmed", `Paid and done. Your ticket goes to ${passenger.email}.`];
    case "rejected":
      return reason === "unknown_flight"
        ? ["No such flight", `There is no flight ${flight}. ${UNCHARGED}`]
        : ["Sold out", `Flight ${flight} does not have ${seats(booking.seats)} left. ${UNCHARGED}`];
    case "payment_declined":
      return ["Card declined", `Your card was refused. Your seats ${settled ? "have been" : "are being"} released. ${UNCHARGED}`];
    case "cancelling":
      return isExpired(booking)
        ? ["Time has run out", `The booking could not be finished in time and is being called off. ${moneyBack(booking)}`]
        : ["Cancelling your booking", `Your cancellation is on record and finishes by itself. ${moneyBack(booking)}`];
    case "cancelled":
      return isExpired(booking)
        ? ["Booking expired", `It could not be finished in time, so it was called off. ${moneyBack(booking)}`]
        : ["Booking cancelled", `Cancelled as you asked. ${moneyBack(booking)}`];
    default:
      return [label(booking), wait];
  }
}

/** Until when an unfinished order is kept trying; empty once that no longer matters. */
export function deadline({ status, expires_at: at }) {
  if (status !== "pending" && status !== "tickets_reserved") return "";
  return `We keep trying until ${moment(at)}. If it cannot be done by then, the booking is called off and nothing stays charged.`;
}

// What each event of the history was. While an order is being called off, the same answers mean
// that there was nothing to give back.
const EVENTS = {
  accepted: (booking) => ["Booking received", `${seats(booking.seats)} on ${booking.flight_id}`],
  tickets_reserved: ({ amount }) => ["Seats held", amount ? `${money(amount)} in all` : ""],
  tickets_unavailable: ({ reason }, entry) =>
    calledOff(entry) ? ["No seats were held"] : [reason === "unknown_flight" ? "No such flight" : "Sold out", UNCHARGED, "stop"],
  tickets_released: () => ["Seats released"],
  payment_captured: ({ amount, passenger }) => ["Paid", `${money(amount)} from the card of ${passenger.name}`],
  payment_declined: (booking, entry) => {
    if (!calledOff(entry)) return ["Card declined", UNCHARGED, "stop"];
    return isExpired(booking) ? ["Not paid in time", UNCHARGED, "stop"] : ["No charge was made"];
  },
  payment_reversed: (booking) => (wasPaid(booking) ? ["Payment returned", money(booking.amount)] : ["Charge called off", NOT_KEPT]),
  cancel_requested: () => ["Cancellation requested", "By you", "stop"],
  deadline_passed: () => ["Time ran out", "The booking could not be finished in time.", "stop"],
};

function past(booking) {
  return booking.history.map((entry) => {
    const [title, detail = "", state = "done"] = EVENTS[entry.event]?.(booking, entry) ?? [entry.event.replaceAll("_", " ")];
    return { state, title, detail, at: entry.at, time: stamp(entry.at) };
  });
}

function present(booking) {
  const undone = { tickets: "Seats being released", payment: wasPaid(booking) ? "Payment being returned" : "Charge being called off" };
  const waits = tone(booking) === "open" ? { tickets: "Waiting for seats", payment: "Waiting for payment" } : undone;
  return booking.awaiting.map((what) => ({
    state: "now",
    title: `${waits[what] ?? what} since ${moment(booking.waiting_since)}`,
    detail: PATIENCE,
  }));
}

function future(booking) {
  const { status, passenger } = booking;
  const ticket = { state: "next", title: "Confirmation", detail: `Ticket by e-mail to ${passenger.email}` };
  const payment = { state: "next", title: "Payment", detail: "Charged only once the seats are held" };
  const end = { state: "next", title: ending(booking), detail: "" };
  return { pending: [payment, ticket], tickets_reserved: [ticket], cancelling: [end] }[status] ?? [];
}

function end(booking) {
  const { status, passenger, updated_at: at } = booking;
  const close = (title, detail, state) => [{ state, title, detail, at, time: stamp(at) }];
  if (status === "confirmed") return close("Confirmed", `Ticket by e-mail to ${passenger.email}`, "done");
  if (status === "cancelled") return close(ending(booking), "", "done");
  return [];
}

/** Every step of its life, in order: `{ state: "done" | "stop" | "now" | "next", title, detail, at, time }`. */
export const steps = (booking) => [...past(booking), ...present(booking), ...future(booking), ...end(booking)];
