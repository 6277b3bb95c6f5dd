// The system page: events in, a state, and the views that show it.

import { PATIENCE_MS, get } from "./api.js";
import { bookOne, compareLedgers, customers, isCrowded, prepare, setChain } from "./bookings.js";
import { showComparison } from "./compare.js";
import { $, act, calmly, list, make, mark, say, show } from "./dom.js";
import { guideRate, prepareGuide, showGuide, tickGuide } from "./guide.js";
import { prepareJourney, refreshJourney, suitJourney, touched } from "./journey.js";
import { compareLetters, refreshLetters } from "./letters.js";
import { orderChanged, refreshOrders, showOrders, suit } from "./orders.js";
import { showPicture } from "./picture.js";
import { run, showPipes } from "./pipes.js";
import { can, initial, reduce } from "./state.js";
import { follow } from "./stream.js";
import { announcements, link, short, verdict } from "./texts.js";

const FLOW = 5; // customers a second
const PACE_MS = 100;

let state = initial();
let drawing = false;
let flowing = false;
let due = 0;
let heard = 0;

function happens(event) {
  const before = state;
  state = reduce(state, event, Date.now());
  const texts = announcements(before, state);
  if (texts.length) $("spoken").replaceChildren(...texts.map((text) => make("p", {}, text)));
  redraw();
}

function redraw() {
  if (drawing) return;
  if (document.hidden) {
    showAll(Date.now()); // no frames are drawn, and few things happen
    return;
  }
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    showAll(Date.now());
  });
}

function showAll(now) {
  mark(document.body, "data-link", state.link);
  say($("link-text"), link(state, now));
  const { tone, title, basis } = verdict(state, now);
  mark($("verdict"), "data-tone", tone);
  say($("verdict-title"), title);
  say($("verdict-basis"), basis);
  show($("differences"), tone === "unequal" && $("differences-list").children.length > 0);
  const live = state.system;
  if (live) {
    showWhatItCan(live);
    setChain(live.rest_chain);
    show($("crowd"), live.skipped > 0);
  }
  showPicture(state, now);
  showPipes(state);
  showComparison(customers, live?.rest_chain ?? true);
  showGuide(state, customers);
  showOrders(now);
}

/** Parts that need what the system cannot do are not shown; others take their place. */
function showWhatItCan(system) {
  for (const part of document.querySelectorAll("[data-needs]")) show(part, can(system, part.dataset.needs));
  for (const part of document.querySelectorAll("[data-lacks]")) show(part, !can(system, part.dataset.lacks));
}

// The gauges that have the verdict may take a while.
$("verdict-now").addEventListener("click", () =>
  act($("verdict-now"), $("verdict-trouble"), async () => {
    await compare();
    onEvent("gauges", { skipped: 0, ...(await get("operator/system")) });
  }),
);

async function compare() {
  const { discrepancies } = await get("operator/audit", { timeout: PATIENCE_MS });
  list($("differences-list"), discrepancies.slice(0, 20), { key: JSON.stringify, create: difference, update: () => {} });
}

/** Where a comparison is paid for, it is made only when it is asked for. */
const refreshDifferences = calmly(async () => {
  if (!state.system?.audit.differences || !can(state.system, "free_reads")) return;
  try {
    const { discrepancies } = await get("operator/differences");
    list($("differences-list"), discrepancies.slice(0, 20), { key: JSON.stringify, create: difference, update: () => {} });
  } catch {
    // The verdict says how many there are; they are asked for again with the next gauges.
  }
}, () => 1_000);

function difference({ booking_id: id, expected, actual, advice }) {
  const order = id ? [make("a", { href: `#${id}`, title: id }, short(id)), ": "] : [];
  const help = advice ? [make("br", {}), `Advice: ${advice}.`] : [];
  return make("li", {}, ...order, `expected ${expected}; actual ${actual}`, ...help);
}

const checkLedgers = calmly(async () => {
  try {
    await compareLedgers();
  } catch {
    // Shown as it was; asked again with the next gauges.
  }
}, () => 1_000);

/** After a time without all events, everything that is shown is read again. */
function readAll() {
  refreshOrders();
  refreshJourney();
  refreshLetters();
  if (customers.waiting()) askForCustomers();
}

/** What became of the customers' orders that wait, as far as this page knows; a few at a time, for the other requests. */
const askForCustomers = calmly(async () => {
  const ids = customers.waitingOrders();
  while (ids.length) await Promise.all(ids.splice(0, 3).map(askForCustomer));
}, () => 1_000);

async function askForCustomer(id) {
  try {
    customers.orderChanged(await get(`bookings/${id}`));
    redraw();
  } catch {
    // Still waiting, as far as this page knows.
  }
}

function onEvent(name, body) {
  if (name === "gauges") {
    suit(body);
    suitJourney(body);
    happens({ type: "gauges", body });
    compareLetters(body);
    if (body.audit.differences) refreshDifferences();
    if (body.skipped) readAll();
    if (customers.count) checkLedgers();
    return;
  }
  if (body.seq <= heard) return;
  heard = body.seq ?? heard;
  if (name === "message") {
    if (body.phase === "sent") run(body);
    touched(body.order);
  } else if (name === "order") {
    customers.orderChanged(body);
    orderChanged(body);
    touched(body.id);
    redraw();
  } else {
    happens({ type: name, ...body });
  }
}

const setFlow = (on) => {
  flowing = on;
  mark($("flow"), "aria-pressed", on);
};

/** A customer comes, whether those before have their answers or not. */
function send() {
  bookOne().catch((error) => {
    say($("customers-trouble"), error.message);
    setFlow(false);
  });
}

$("book-one").addEventListener("click", () => {
  say($("customers-trouble"), "");
  send();
});
$("flow").addEventListener("click", () => {
  say($("customers-trouble"), "");
  setFlow(!flowing);
});

/** Sends customers at the pace that is asked for, while both systems can be reached. */
function pace() {
  tickGuide();
  const rate = guideRate() || (flowing ? FLOW : 0);
  due = rate && state.link === "live" && !isCrowded() ? due + (rate * PACE_MS) / 1000 : 0;
  while (due >= 1) {
    due -= 1;
    send();
  }
}

prepare({ onChange: redraw });
prepareGuide({
  knows: () => ({
    restarts: state.restarts,
    waiting: customers.waiting(),
    live: state.link === "live",
    stripe: state.system?.payment_provider.mode === null,
  }),
});
prepareJourney();
setInterval(pace, PACE_MS);
setInterval(redraw, 500);
follow({
  onEvent,
  onOpen() {
    heard = 0;
    readAll();
  },
  onLost: () => happens({ type: "lost" }),
  onPaused: () => happens({ type: "paused" }),
});
