// The journey of the chosen order: its id follows the `#` in the address.

import { stamp } from "../formats.js";
import { get } from "./api.js";
import { $, calmly, list, make, mark, row, say, show } from "./dom.js";
import { isMoving, steps, verdictOf } from "./journey-steps.js";
import { choose } from "./orders.js";
import { can } from "./state.js";
import { short, statusText, waitsFor } from "./texts.js";

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 2 });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** A text of the server, its moments as this page writes them. */
const timed = (text) => text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (moment) => stamp(moment));

let chosen = null;
let journey = null;
let told = true;

/** Reads the chosen order's journey again. */
export const refreshJourney = calmly(load, () => 300);

/** Something happened to an order: is it the chosen one? */
export const touched = (id) => id !== null && id === chosen && refreshJourney();

/** Where no event tells that something happened to the order, it is read again with the gauges while it may move. */
export function suitJourney(system) {
  told = can(system, "messages");
  if (told || !journey) return;
  if (isMoving(journey, { told }) && !(journey.order.settled && journey.rows.every(({ equal }) => equal))) refreshJourney();
  else showJourney();
}

async function load() {
  const id = chosen;
  if (!id) return;
  try {
    const read = await get(`operator/orders/${encodeURIComponent(id)}/journey`);
    if (id !== chosen) return;
    journey = read;
    say($("journey-trouble"), "");
  } catch (error) {
    if (id !== chosen) return;
    if (error.status === 404) journey = null;
    say($("journey-trouble"), error.status === 404 ? "There is no order with this id." : error.message);
  }
  showJourney();
}

function showJourney() {
  show($("journey"), journey !== null);
  show($("journey-empty"), !chosen);
  say($("journey-title"), chosen ? `Journey of ${short(chosen)}` : "Journey");
  if (!journey) return;
  const { order, messages, cut_before: cut, rows } = journey;
  say($("journey-id"), order.id);
  say($("journey-state"), order.settled ? statusText(order.status) : `${statusText(order.status)}, waits for ${waitsFor(order)}`);
  say($("journey-cut"), cut ? `Messages from before ${day.format(new Date(cut))} are no longer known: the server keeps the latest ones, in memory. The order’s own history is complete.` : "");
  const lines = steps({ order, messages }, { every: $("every").checked });
  list($("journey-steps"), lines, { key: ({ key }) => key, create, update: () => {} });
  list($("journey-rows"), rows, {
    key: ({ what }) => what,
    create: () => row(["By whose record", "Expected", "Actual", "Verdict"]),
    update(child, one) {
      const { tone, text } = verdictOf(one, journey, { told });
      [one.what, one.expected, one.actual, text].forEach((cell, index) => say(child.children[index], timed(cell)));
      mark(child.children[3], "data-tone", tone);
    },
  });
}

function create({ at, who, verb, message, topic, badge, reason, tone }) {
  const what = make("span", { class: "what" }, `${verb} `);
  if (message) what.append(make("code", {}, message), " in ", make("b", {}, topic));
  if (reason) what.append(make("span", { class: "reason" }, reason));
  const item = make("li", { "data-tone": tone }, make("time", { datetime: at }, clock.format(new Date(at))), make("span", { class: "who" }, who), what);
  if (badge) item.append(make("span", { class: "badge" }, badge));
  return item;
}

function open() {
  const id = location.hash.slice(1) || null;
  if (id === chosen) return;
  chosen = id;
  journey = null;
  $("journey-steps").replaceChildren();
  $("journey-rows").replaceChildren();
  say($("journey-trouble"), "");
  choose(id);
  showJourney();
  refreshJourney();
}

$("every").addEventListener("change", showJourney);

/** Opens the order that the address names, now and whenever it names another; a reader is led to it. */
export function prepareJourney() {
  window.addEventListener("hashchange", () => {
    open();
    if (chosen) $("journey-title").focus({ preventScroll: matchMedia("(min-width: 60rem)").matches });
  });
  open();
}
