// The guided outage: five steps, what each does, and when the next begins. Pure: no DOM, no clock.

const BILLING = "billing-service";
const running = { running: true };

/**
 * The steps. `actions` are done when the step begins. `seconds` is how long it lasts; customers come at `rate` a second
 * during that time. `until` is what it then waits for: `restart`, another process of the server; `settled`, that no order
 * of these customers waits.
 */
export const STEPS = [
  {
    id: "well",
    title: "All is well",
    caption: "Every service runs. Five customers a second book in both systems, and both serve them.",
    actions: (stripe) => healthy(stripe),
    seconds: 5,
    rate: 5,
  },
  {
    id: "stopped",
    title: "Billing is stopped",
    caption: "The chain needs billing for its answer, so it turns every customer away. The topics answer as before: what billing has to do waits in its topic.",
    actions: () => [{ service: BILLING, running: false }],
    seconds: 7,
    rate: 5,
  },
  {
    id: "lost",
    title: "Replies are lost",
    caption: "Billing runs again, but the provider’s replies are lost after it has charged. The chain cannot know, and gives up: charged, no ticket. The topics ask the provider again what became of each charge.",
    actions: (stripe) => [{ service: BILLING, ...running }, ...(stripe ? [] : [{ mode: "timeout" }])],
    seconds: 12,
    rate: 2,
  },
  {
    id: "killed",
    title: "The process is killed",
    caption: "Billing is stopped once more, so that messages wait. Now kill the server and start it again: what was accepted is on its disk.",
    actions: (stripe) => [...(stripe ? [] : [{ mode: "up" }]), { service: BILLING, running: false }],
    seconds: 3,
    rate: 5,
    until: "restart",
  },
  {
    id: "recovered",
    title: "Recovered",
    caption: "Everything runs again. The topics finish every order that they accepted. The chain has nothing to finish.",
    actions: (stripe) => healthy(stripe),
    seconds: 2,
    rate: 0,
    until: "settled",
  },
];

const healthy = (stripe) => [
  ...["ticket-service", BILLING, "email-service", "order-updates"].map((service) => ({ service, ...running })),
  ...(stripe ? [] : [{ mode: "up" }]),
];

const STRIPE = " Stripe’s replies cannot be lost from here: this step shows the outage without them.";

/** What is said of a step. */
export const caption = ({ index, stripe }) => STEPS[index].caption + (stripe && STEPS[index].id === "lost" ? STRIPE : "");

/** Without `until`, the length of all steps in seconds. */
export const LENGTH = STEPS.reduce((sum, { seconds }) => sum + seconds, 0);

/** No outage is played. */
export const NOT_PLAYED = { playing: false, index: -1, since: 0, restarts: 0, stripe: false, over: false };

/**
 * The outage after an event, and what is to be done: `{ outage, actions }`.
 * Events: `play`, `tick`, `skip` (what the step waits for), `end`. `facts`: `{ now, restarts, waiting, stripe, live }`, with
 * `now` in milliseconds and `waiting` as the number of unsettled orders.
 */
export function next(outage, event, facts) {
  if (event === "play") return begin(0, { ...NOT_PLAYED, playing: true, stripe: facts.stripe }, facts);
  if (!outage.playing) return { outage, actions: [] };
  if (event === "end") return { outage: { ...outage, playing: false }, actions: healthy(outage.stripe) };
  if (!facts.live && event !== "skip") return { outage, actions: [] };
  const waited = event === "skip" || isReached(STEPS[outage.index].until, outage, facts);
  const lasted = facts.now - outage.since >= STEPS[outage.index].seconds * 1000;
  const restarted = STEPS[outage.index].until === "restart" && facts.restarts > outage.restarts;
  if (!(lasted && waited) && !restarted && event !== "skip") return { outage, actions: [] };
  if (outage.index === STEPS.length - 1) return { outage: { ...outage, playing: false, over: true }, actions: [] };
  return begin(outage.index + 1, outage, facts);
}

function begin(index, outage, { now, restarts }) {
  return { outage: { ...outage, index, since: now, restarts }, actions: STEPS[index].actions(outage.stripe) };
}

function isReached(until, outage, { restarts, waiting }) {
  if (until === "restart") return restarts > outage.restarts;
  return until === "settled" ? waiting === 0 : true;
}

/** How many customers a second book at present. */
export function rate({ playing, index, since }, now) {
  if (!playing) return 0;
  const step = STEPS[index];
  return now - since < step.seconds * 1000 ? step.rate : 0;
}

/** What a step waits for once its time is over: `restart`, `settled`, or nothing. */
export function waitsFor({ playing, index, since }, now) {
  if (!playing || now - since < STEPS[index].seconds * 1000) return null;
  return STEPS[index].until ?? null;
}
