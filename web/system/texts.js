// What the page says of the system. Pure: no DOM. Ages are in seconds, moments in milliseconds.

import { words } from "../formats.js";
import { CONSUMER, MOST_DOTS, TOPICS, can, isBroken, isRunning, orderCounts, under } from "./state.js";

const SERVICES = {
  "ticket-service": "Ticket Service",
  "billing-service": "Billing Service",
  "email-service": "Email Service",
  "order-updates": "Booking Gateway",
};
export const serviceName = (name) => SERVICES[name] ?? words(name.replaceAll("-", "_"));

/** The modes of the simulated payment provider, as an answer to "it answers …". */
export const MODES = {
  up: "normally",
  unavailable: "503 at once",
  timeout: "never, but charges",
  slow: "after 2 s",
};

/** What a mode means. */
export const MEANINGS = {
  up: "",
  unavailable: "It does nothing.",
  timeout: "It charges, and the reply is lost.",
  slow: "Every call takes 2 s.",
};

/** A span of time in seconds, short: `0.4 s`, `12 s`, `3 min`, `2 h`, `4 d`. */
export function span(seconds) {
  const length = Math.max(0, seconds);
  if (length < 9.95) return `${length.toFixed(1)} s`;
  if (length < 90) return `${Math.round(length)} s`;
  if (length < 90 * 60) return `${Math.round(length / 60)} min`;
  if (length < 36 * 3600) return `${Math.round(length / 3600)} h`;
  return `${Math.round(length / 86_400)} d`;
}

/** Whole seconds, for what is said twice a second. */
export const whole = (seconds) => (seconds < 90 ? `${Math.max(0, Math.floor(seconds))} s` : span(seconds));

const ago = (seconds) => (seconds < 1 ? "just now" : `${whole(seconds)} ago`);

const count = (number, one, many = `${one}s`) => `${figure(number)} ${number === 1 ? one : many}`;

/** A number as the page writes it: `20,000`; `–` where the platform does not know it. */
export const figure = (number) => number?.toLocaleString("en-GB") ?? "–";

/** The same for a number that a platform may not count. */
export const known = (number) => (number === null ? "unknown" : figure(number));

/** The live indicator: its state as a word, and what is said beside it. */
export function link({ link: state, asOf, system }, now) {
  const where = system ? ` · ${system.platform} ${system.version}` : "";
  const asOfText = asOf ? ` · as of ${whole((now - asOf) / 1000)} ago` : "";
  switch (state) {
    case "live":
      return `Live${where}`;
    case "reconnecting":
      return `Reconnecting${asOfText}`;
    case "paused":
      return `Paused while hidden${asOfText}`;
    default:
      return "Loading";
  }
}

/** The verdict: `{ tone: "equal" | "unequal" | "unknown", title, basis }`. */
export function verdict({ system }, now) {
  if (!system) return { tone: "unknown", title: "Expected and actual are being compared", basis: "" };
  const { differences, undecided = 0, checked: compared, at } = system.audit;
  const checked = at ? `Checked ${ago((now - Date.parse(at)) / 1000)}.` : "Not checked yet.";
  const counted = can(system, "free_reads") ? orders(system.orders) : at ? `${count(compared, "order")} compared.` : "";
  const basis = `${counted} ${checked}`.trim();
  if (!at) return { tone: "unknown", title: "Expected and actual are not compared yet", basis };
  if (!differences && undecided) {
    const why = "Something moved while they were compared. Compare again when less is under way.";
    return { tone: "unknown", title: `${count(undecided, "order or flight", "orders or flights")} could not be judged`, basis: `${why} ${basis}` };
  }
  if (!differences) return { tone: "equal", title: "Expected = actual", basis };
  return { tone: "unequal", title: `Expected ≠ actual, ${count(differences, "difference")}`, basis };
}

function orders(byStatus) {
  const { all, confirmed, onTheirWay, without } = orderCounts(byStatus);
  if (!all) return "No orders yet.";
  const parts = [
    confirmed && `${figure(confirmed)} confirmed`,
    onTheirWay && `${figure(onTheirWay)} on their way`,
    without && `${figure(without)} ended without a ticket`,
  ].filter(Boolean);
  return `${count(all, "order")}: ${parts.join(", ")}.`;
}

/**
 * A topic in words: `{ waiting, notes, dead, urgent }`: what waits, what else is worth a glance, what was given up. Numbers
 * that are not `exact` say so.
 */
export function topicLine(topic, running, exact = true) {
  const counted = (number) => (exact || !number ? figure(number) : `about ${figure(number)}`);
  const { in_flight: working, delayed, dead_lettered: dead, oldest_age_seconds: oldest } = topic;
  const notes = [];
  if (working) notes.push(`${counted(working)} in work`);
  const later = `${counted(delayed)} to be tried again`;
  const onlyLater = delayed > 0 && !topic.waiting;
  if (delayed && !onlyLater) notes.push(later);
  if (under(topic) && oldest >= 1) notes.push(`oldest ${whole(oldest)}`);
  return {
    waiting: onlyLater ? later : `${counted(topic.waiting)} waiting`,
    notes: notes.join(" · "),
    dead: dead ? `${counted(dead)} dead` : "",
    urgent: under(topic) > 0 && (!running || oldest >= 5),
  };
}

/** What stands beside a service's switch. */
export function switchText(state, name, now) {
  if (isRunning(state.system, name)) return name === "order-updates" ? "consuming" : "running";
  const since = state.stoppedSince[name];
  return since ? `stopped ${whole((now - since) / 1000)}` : "stopped";
}

/** What a part of the picture does at present, under its name. */
export function duty(system, name) {
  const answered = (topic) => {
    const { finished } = system.topics[topic];
    return finished === null ? "answers are not counted" : `${figure(finished)} answered`;
  };
  switch (name) {
    case "customers":
      if (!can(system, "free_reads")) return "orders are not counted";
      return orderCounts(system.orders).all ? `${count(orderCounts(system.orders).all, "order")} accepted` : "no orders yet";
    case "order-updates":
      return "answers 202 at once";
    case "ticket-service":
      return answered("tickets");
    case "billing-service":
      return isBroken(system) ? "waits, and asks again" : answered("billing");
    case "email-service":
      return answered("email");
    default:
      return "";
  }
}

export const STRIPE = "Stripe answers. It cannot be broken from here: choose the simulated provider for that.";

/** What changed and matters, to be spoken. Numbers are not. */
export function announcements(before, after) {
  const said = [];
  if (before.link !== after.link) {
    if (after.link === "reconnecting") said.push("The connection to the server is lost. The page tries again.");
    if (after.link === "live" && before.link === "reconnecting") said.push("The page is live again.");
  }
  const [old, system] = [before.system, after.system];
  if (!old || !system || old === system) return said;
  for (const topic of TOPICS) {
    const name = CONSUMER[topic];
    if (isRunning(old, name) === isRunning(system, name)) continue;
    said.push(isRunning(system, name) ? `${serviceName(name)} is running.` : `${serviceName(name)} is stopped.`);
  }
  if (old.payment_provider.mode !== system.payment_provider.mode) {
    said.push(`The payment provider answers ${MODES[system.payment_provider.mode] ?? "as it does"}.`);
  }
  const [were, are] = [old.audit.differences, system.audit.differences];
  if (!were !== !are) said.push(are ? `Expected is not actual: ${count(are, "difference")}.` : "Expected is actual.");
  const dead = (all) => TOPICS.reduce((sum, topic) => sum + all.topics[topic].dead_lettered, 0);
  if (dead(old) < dead(system)) said.push(`${count(dead(system), "dead letter")}.`);
  const crowd = (all) => TOPICS.filter((topic) => under(all.topics[topic]) > MOST_DOTS);
  for (const topic of crowd(system)) {
    if (!crowd(old).includes(topic)) said.push(`More than ${MOST_DOTS} messages are in ${topic}.`);
  }
  return said;
}

/** An order's id, short. Ids may begin with their time: what tells neighbours apart is at the end. */
export const short = (id) => `…${id.slice(-8)}`;

export const STATUSES = ["pending", "tickets_reserved", "confirmed", "rejected", "payment_declined", "cancelling", "cancelled"];

export const statusText = (status) => words(status).toLowerCase();

/** What an order waits for. */
export const waitsFor = ({ awaiting }) => (awaiting.length ? awaiting.map((what) => words(what).toLowerCase()).join(", ") : "–");

/** `booking.reserve.v1` is `reserve`; what is no event has no type. */
export function messageName(type) {
  const parts = type?.match(/^booking\.(.+)\.v(\d+)$/);
  if (!parts) return type ?? "no event";
  return parts[2] === "1" ? parts[1] : `${parts[1]}, version ${parts[2]}`;
}

/** How often a dead letter was tried, over its redrives. */
export const tried = ({ attempts, redrives }) => `${count(attempts, "attempt")}${redrives ? `, ${count(redrives, "redrive")}` : ""}`;

export const since = (moment, now) => span((now - Date.parse(moment)) / 1000);
