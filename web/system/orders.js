// The orders, what waits first: filtered, paged, found by their id.

import { get } from "./api.js";
import { $, calmly, list, make, mark, row, say, show } from "./dom.js";
import { can } from "./state.js";
import { STATUSES, short, since, statusText, waitsFor } from "./texts.js";

const PAGE = 12;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const filter = $("orders-filter");
let shown = [];
let cursors = [""];
let next = null;
let chosen = null;
let loaded = false;
let crowded = false;
/** Whether everything may be read at any time, and again whenever something changes; `null` until that is known. */
let free = null;
let bookings = true;

filter.append(make("option", { value: "waiting" }, "waiting first"), make("option", { value: "newest" }, "newest first"));
for (const status of STATUSES) filter.append(make("option", { value: status }, statusText(status)));

const read = calmly(load, () => (crowded ? 2_000 : 400));

/** Reads the shown page again; a few times a second at most. What is paid for is read only when it is chosen. */
export const refreshOrders = () => free !== null && (free || filter.value === "waiting") && read();

/** What is shown depends on what the system can do, and on how much happens. */
export function suit(system) {
  crowded = system.skipped > 0;
  bookings = can(system, "bookings");
  // No event tells when one of them moves on.
  if (!can(system, "messages") && shown.some(({ settled: isSettled }) => !isSettled)) refreshOrders();
  if (free === can(system, "free_reads")) return;
  free = can(system, "free_reads");
  say(filter.options[0], free ? "waiting first" : "waiting");
  say(filter.options[1], free ? "newest first" : "all, in no order");
  turn([""]);
}

async function load() {
  const asked = key();
  try {
    const page = await readPage();
    if (asked !== key()) return;
    shown = page.items;
    next = page.next;
    loaded = true;
    say($("orders-trouble"), "");
  } catch (error) {
    if (asked === key()) say($("orders-trouble"), error.message);
  }
  showOrders(Date.now());
}

const key = () => `${filter.value} ${cursors.at(-1)}`;

/** A page of orders. Those that wait are few or many; where they end, the newest of the others follow. */
async function readPage() {
  const after = cursors.at(-1);
  if (filter.value !== "waiting") {
    const status = filter.value === "newest" ? "" : `&status=${filter.value}`;
    return get(`operator/orders?limit=${PAGE}${status}${at(after)}`);
  }
  if (after.startsWith("settled ")) return settled(PAGE, after.slice("settled ".length));
  const waiting = await get(`operator/orders?settled=false&limit=${PAGE}${at(after)}`);
  if (!free) return waiting;
  if (waiting.next || waiting.items.length === PAGE) return { ...waiting, next: waiting.next ?? "settled " };
  const others = await settled(PAGE - waiting.items.length, "");
  return { items: [...waiting.items, ...others.items], next: others.next };
}

async function settled(limit, after) {
  const page = await get(`operator/orders?settled=true&limit=${limit}${at(after)}`);
  return { items: page.items, next: page.next && `settled ${page.next}` };
}

const at = (after) => (after ? `&after=${encodeURIComponent(after)}` : "");

/** An order changed: its row is brought up to date at once, before the page is read again. */
export function orderChanged({ id, status, awaiting, settled: isSettled, waiting_since: since_, updated_at: updated }) {
  const order = shown.find((one) => one.id === id);
  if (order) Object.assign(order, { status, awaiting, settled: isSettled, waiting_since: since_, updated_at: updated });
  refreshOrders();
}

/** Shows the orders, with their ages at `now`. */
export function showOrders(now) {
  show($("orders"), shown.length > 0);
  show($("orders-empty"), !shown.length);
  if (loaded) say($("orders-empty"), empty());
  show($("pages"), cursors.length > 1 || next !== null);
  say($("page-number"), `Page ${cursors.length}`);
  mark($("earlier"), "aria-disabled", cursors.length > 1 ? null : "true");
  mark($("later"), "aria-disabled", next === null ? "true" : null);
  list($("orders-rows"), shown, { key: ({ id }) => id, create, update: (child, order) => update(child, order, now), fallback: $("orders-title") });
}

function empty() {
  if (!free && filter.value === "waiting") return "No order waits.";
  if (filter.value === "waiting" || filter.value === "newest") return bookings ? "No orders yet. “Book one” makes the first." : "No orders yet.";
  return `No order is ${statusText(filter.value)}.`;
}

function create({ id }) {
  const made = row(["Order", "State", "Waits for", "Since"]);
  made.children[0].append(make("a", { href: `#${id}`, title: id }, short(id)));
  return made;
}

function update(child, order, now) {
  say(child.children[1], statusText(order.status));
  say(child.children[2], waitsFor(order));
  mark(child.children[2], "data-nothing", order.awaiting.length ? null : "");
  say(child.children[3], since(order.settled ? order.updated_at : order.waiting_since, now));
  mark(child, "data-chosen", order.id === chosen ? "" : null);
  mark(child.children[0].firstElementChild, "aria-current", order.id === chosen ? "true" : null);
}

export function choose(id) {
  chosen = id;
  showOrders(Date.now());
}

function turn(after) {
  cursors = after;
  read();
}

filter.addEventListener("change", () => turn([""]));
$("earlier").addEventListener("click", () => cursors.length > 1 && turn(cursors.slice(0, -1)));
$("later").addEventListener("click", () => next !== null && turn([...cursors, next]));

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = $("search-id").value.trim().replace(/^…/, "").toLowerCase();
  const known = shown.filter(({ id }) => asked.length >= 4 && (id.startsWith(asked) || id.endsWith(asked)));
  const id = ID.test(asked) ? asked : known.length === 1 ? known[0].id : null;
  show($("search-trouble"), !id);
  mark($("search-id"), "aria-invalid", id ? null : "true");
  say($("search-trouble"), id ? "" : known.length > 1 ? "Several orders fit. Give more of the id." : "Give the whole id, 36 characters, or the start or end of one in the list.");
  if (id) location.hash = id;
});
