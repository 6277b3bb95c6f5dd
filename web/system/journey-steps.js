// The journey of one order as a sequence of lines. Pure: no DOM.

import { messageName, serviceName, span, statusText } from "./texts.js";
import { CONSUMER } from "./state.js";

const GATEWAY = "Booking Gateway";
const consumer = (topic) => serviceName(CONSUMER[topic] ?? topic);

/** Who answers with an update: the Billing Service knows of payments, the Ticket Service of all else. */
function sender({ topic, type }) {
  if (topic !== "order-updates") return GATEWAY;
  if (type?.includes("payment")) return serviceName("billing-service");
  return type?.includes("deadline") ? GATEWAY : serviceName("ticket-service");
}

/** What is always shown; what a service received and answered only where every step is asked for. */
const TELLING = ["sent", "delayed", "dead-lettered", "redriven", "discarded"];

/**
 * Lines `{ key, at, who, verb, message, topic, badge, reason, tone }`, oldest first. Without `every`, what was received is
 * shown only where it is the last that is known of its topic.
 */
export function steps({ order, messages }, { every = false } = {}) {
  const last = new Map(messages.map((message) => [message.topic, message]));
  const shown = messages.filter((one) => every || TELLING.includes(one.phase) || (one.phase === "received" && last.get(one.topic) === one));
  const lines = [...order.history.map((one, index) => entry(one, index, messages)), ...shown.map(line)];
  return lines.sort((one, other) => Date.parse(one.after) - Date.parse(other.after) || one.rank - other.rank);
}

const CUSTOMER = { accepted: "books: POST /bookings → 202", cancel_requested: "cancels: DELETE → 202" };

/**
 * A change of the order. It stands after the update that led to it, which a clock of milliseconds does not tell, and before
 * what it leads to.
 */
function entry({ at, status, event }, index, messages) {
  const asked = CUSTOMER[event];
  const cause = messages.find(({ phase, type }) => phase === "sent" && type === `booking.${event}.v1`);
  const after = cause && cause.at > at ? cause.at : at;
  const base = { key: `history-${index}`, at, after, rank: cause ? cause.seq + 0.5 : -1, badge: "", reason: "", tone: "", message: "", topic: "" };
  return { ...base, who: asked ? "Customer" : GATEWAY, verb: asked ?? `order is ${statusText(status)}` };
}

function line({ seq, topic, type, phase, attempt, at, due, reason }) {
  const base = { key: `message-${seq}`, at, after: at, rank: seq, message: messageName(type), topic, badge: "", reason: reason ?? "", tone: "" };
  switch (phase) {
    case "sent":
      return { ...base, who: sender({ topic, type }), verb: "sends" };
    case "delayed":
      return { ...base, who: consumer(topic), verb: "sends again", badge: again(attempt, at, due), tone: "delayed" };
    case "dead-lettered":
      return { ...base, who: consumer(topic), verb: "gives up", badge: "dead letter", tone: "dead" };
    case "redriven":
      return { ...base, who: "Operator", verb: "redrives", tone: "again" };
    case "discarded":
      return { ...base, who: "Operator", verb: "discards", tone: "dead" };
    case "received":
      return { ...base, who: consumer(topic), verb: attempt ? `receives, try ${attempt + 1}` : "receives" };
    case "answered":
      return { ...base, who: consumer(topic), verb: "has handled" };
    default:
      return { ...base, who: consumer(topic), verb: phase };
  }
}

/** `try 2, within 1 s`: how many copies there were before is the number of tries so far. An answer of what is away may wake it. */
function again(attempt, at, due) {
  const delay = due ? `, within ${span((Date.parse(due) - Date.parse(at)) / 1000).replace(".0 ", " ")}` : "";
  return `try ${attempt + 1}${delay}`;
}

/** How many messages about the order are not finished, by what is known of them. */
export function underWay(messages) {
  const began = messages.filter(({ phase }) => phase === "sent" || phase === "redriven").length;
  const ended = messages.filter(({ phase }) => phase === "answered" || phase === "dead-lettered").length;
  return Math.max(0, began - ended);
}

/** For so long after an order was settled its mail may be under way, where messages are not told. */
const MAIL_MS = 60_000;

/** Whether something may still change what is found about an order; `told` is whether the system tells its messages. */
export function isMoving({ order, messages }, { told = true, now = Date.now() } = {}) {
  if (!order.settled || underWay(messages) > 0) return true;
  return !told && now - Date.parse(order.updated_at) < MAIL_MS;
}

/** `= equal`, `≠`, or `on its way` while something may still change it. */
export function verdictOf({ equal }, journey, knowing) {
  if (equal) return { tone: "equal", text: "= equal" };
  return isMoving(journey, knowing) ? { tone: "moving", text: "on its way" } : { tone: "unequal", text: "≠" };
}
