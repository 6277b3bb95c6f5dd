// What the page knows of the system, by the events of its stream. Pure: no DOM, no clock.
// A state is never changed; each event makes the next one.

/** The topics in the order in which a booking first meets them. */
export const TOPICS = ["tickets", "billing", "email", "order-updates"];

/** What consumes each topic, as its switch is called. */
export const CONSUMER = {
  tickets: "ticket-service",
  billing: "billing-service",
  email: "email-service",
  "order-updates": "order-updates",
};

/** Above this many, a topic's messages are drawn as a bar and a number. */
export const MOST_DOTS = 40;

/** What not every platform can do: a system says which of these it can. */
export const can = (system, what) => system.capabilities.includes(what);

/** Without a word from the server for this long the page is not live. Gauges are sent twice a second. */
export const SILENCE_MS = 2_500;

/** The same for a system that tells no messages, which gives gauges every 5 s, and for one of which nothing is known yet. */
export const silence = (system) => (system && can(system, "messages") ? SILENCE_MS : 15_000);

/**
 * `link`: `loading`, `live`, `reconnecting`, or `paused` while the page is hidden.
 * `asOf`: when `system`, the last gauges, arrived, in milliseconds. `stoppedSince`: by service, when this page saw it stop;
 * `null` where it was stopped before. `restarts`: how often another process was seen.
 */
export const initial = () => ({ link: "loading", asOf: null, system: null, stoppedSince: {}, brokenSince: null, restarts: 0 });

/** The state after an event. `now` is in milliseconds. */
export function reduce(state, event, now) {
  switch (event.type) {
    case "gauges":
      return gauges(state, event, now);
    case "service":
      return state.system ? service(state, event, now) : state;
    case "provider":
      return state.system ? provider(state, event, now) : state;
    case "lost":
      return state.link === "reconnecting" ? state : { ...state, link: state.system ? "reconnecting" : "loading" };
    case "paused":
      return { ...state, link: "paused" };
    default:
      return state;
  }
}

function gauges(state, { body }, now) {
  const before = state.system;
  const restarted = before && before.process?.started_at !== body.process?.started_at;
  const stoppedSince = {};
  for (const [name, { running }] of Object.entries(body.services)) {
    if (!running) stoppedSince[name] = name in state.stoppedSince ? state.stoppedSince[name] : before ? now : null;
  }
  return {
    link: "live",
    asOf: now,
    system: body,
    stoppedSince,
    brokenSince: isBroken(body) ? state.brokenSince ?? now : null,
    restarts: state.restarts + (restarted ? 1 : 0),
  };
}

function service(state, { name, running }, now) {
  const { [name]: since, ...others } = state.stoppedSince;
  const system = { ...state.system, services: { ...state.system.services, [name]: { running } } };
  return { ...state, system, stoppedSince: running ? others : { ...others, [name]: since ?? now } };
}

function provider(state, { name, mode }, now) {
  const system = { ...state.system, payment_provider: { name, mode } };
  return { ...state, system, brokenSince: isBroken(system) ? state.brokenSince ?? now : null };
}

/** Whether the payment provider was told not to answer as it should. Stripe has no mode. */
export const isBroken = ({ payment_provider: { mode } }) => mode !== null && mode !== "up";

/** Whether the service can be started and stopped from here. */
export const hasSwitch = (system, name) => name in system.services;

export const isRunning = (system, name) => system.services[name]?.running ?? true;

/** A topic's messages that are not finished. */
export const under = ({ waiting, in_flight: inFlight, delayed }) => waiting + inFlight + delayed;

/** How a topic's messages are drawn: one dot each, or a bar and their number. Those to be tried later come last. */
export function drawn(topic) {
  const all = under(topic);
  if (all > MOST_DOTS) return { dots: 0, later: 0, bar: all };
  return { dots: topic.waiting + topic.in_flight, later: topic.delayed, bar: 0 };
}

const ON_THEIR_WAY = ["pending", "tickets_reserved", "cancelling"];

/** The orders by what became of them: confirmed, on their way, without a ticket. */
export function orderCounts(orders) {
  const sum = (fits) => Object.entries(orders).reduce((all, [status, count]) => (fits(status) ? all + count : all), 0);
  return {
    all: sum(() => true),
    confirmed: sum((status) => status === "confirmed"),
    onTheirWay: sum((status) => ON_THEIR_WAY.includes(status)),
    without: sum((status) => status !== "confirmed" && !ON_THEIR_WAY.includes(status)),
  };
}
