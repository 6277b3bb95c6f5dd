// One booking: its status, its timeline, and its cancellation.

import { Refusal, cancel, flights, watch } from "./api.js";
import { departure } from "./formats.js";
import { showTicket } from "./pass.js";
import { USUAL_MS, access, another, deadline, headline, label, reach, spoken, steps, tone } from "./texts.js";

const $ = (id) => document.querySelector(`#${id}`);
const TROUBLE = "The booking service does not answer. The booking is stored. We keep trying.";
const NO_COPY = "This browser does not let the page copy. Copy its address instead.";
const LIVE = { yes: "Live: each step appears here as it happens", lost: "No connection: trying again", no: "" };
const WRONG_KEY = "The key in this link is not right, so the booking is shown without what is personal, and cannot be changed here.";

/**
 * Shows and follows the booking until `signal` aborts. `fresh` is the booking if it was just
 * made: it is shown before the first request. `refused`: it has been asked for with a token that is not right.
 * `onMissing` is called if there is no such booking, `onRefused` if the token is not right, `onCalled` with what
 * the booking is called in a list, `onAnother` with the draft of another order.
 */
export function openBooking({ id, token }, signal, { fresh, refused, onMissing, onRefused, onCalled, onAnother }) {
  let booking = null;
  let departures = [];
  let clock = { server: Date.now(), page: performance.now() };
  let slowly;
  let sending = false;
  let following = new AbortController();

  function show(seen) {
    const settledNow = seen.settled && booking && !booking.settled;
    const before = booking ? steps(booking) : [];
    const isNews = seen.updated_at !== booking?.updated_at || seen.status !== booking?.status;
    booking = seen;
    const flight = departures.find((one) => one.id === seen.flight_id);
    showBooking(seen, isSlow(seen));
    showTicket(seen, flight);
    showAnother(seen, flight);
    onCalled(called(seen, flight), Boolean(flight));
    if (isNews) say("told", spoken(seen, before));
    // What else can be offered depends on the seats that are left now.
    if (settledNow && seen.status === "rejected") loadFlights();
  }

  /** Whether it has waited for longer than usual, by the server's clock. Looks again when it will have. */
  function isSlow(seen) {
    clearTimeout(slowly);
    if (seen.settled) return false;
    const now = clock.server + performance.now() - clock.page;
    const left = Date.parse(seen.waiting_since) + USUAL_MS - now;
    if (left > 0) slowly = setTimeout(() => !signal.aborted && show(booking), left + 100);
    return left <= 0;
  }

  function showAnother(seen, flight) {
    const offer = another(seen, flight);
    say("another-note", offer?.note ?? "");
    $("another").hidden = !offer?.button;
    $("another").textContent = offer?.button ?? "";
    $("fresh").classList.toggle("quiet", Boolean(offer?.button));
    $("another").onclick = () => onAnother(offer.draft);
  }

  async function loadFlights() {
    const found = await flights(signal);
    if (signal.aborted) return;
    departures = found;
    if (booking) show(booking);
  }

  async function follow() {
    following.abort();
    following = new AbortController();
    signal.addEventListener("abort", () => following.abort(), { once: true });
    const onTrouble = (lost) => {
      say("trouble", lost ? TROUBLE : "");
      live(lost ? "lost" : "yes");
    };
    const onTime = (server) => (clock = { server, page: performance.now() });
    try {
      await watch(id, following.signal, { token, fresh: booking === fresh && fresh, onBooking: show, onTrouble, onTime });
      if (!following.signal.aborted) live("no");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (signal.aborted) return;
      if (error.status === 404) {
        onMissing();
      } else if (error.status === 403 && token) {
        if ($("booking").contains(document.activeElement)) $("headline").focus(); // not on a button that is to go
        onRefused();
      } else {
        say("trouble", error.message);
      }
    }
  }

  async function cancelBooking() {
    if (sending) return;
    sending = true;
    let refusal = "";
    try {
      const { content } = await cancel(id, token);
      if (!signal.aborted) show(content);
    } catch (error) {
      refusal = error instanceof Refusal ? error.message : "The booking service does not answer. You can safely try again.";
    }
    sending = false;
    if (signal.aborted) return;
    ask(false);
    say("refusal", refusal);
    if ($("cancel").hidden) $("headline").focus();
    // A refusal may mean that the booking has changed since the last poll.
    follow();
  }

  clear();
  signal.addEventListener("abort", () => clearTimeout(slowly), { once: true });
  if (refused) say("wrong-key", WRONG_KEY);
  if (fresh) show(fresh);
  follow();
  loadFlights();
  $("copy").addEventListener("click", async () => say("copied", (await copy(location.href)) ? reach(booking) : NO_COPY), { signal });
  $("cancel").addEventListener("click", () => ask($("confirmation").hidden), { signal });
  $("keep").addEventListener("click", () => ask(false), { signal });
  $("confirm").addEventListener("click", cancelBooking, { signal });
  $("confirmation").addEventListener("keydown", ({ key }) => key === "Escape" && ask(false), { signal });
}

/** In a list: the flight and its day, if the flight is on sale. */
function called(booking, flight) {
  if (!flight) return booking.flight_id;
  return `${flight.id}, ${flight.from} to ${flight.to}, ${departure(flight).day}`;
}

/** Whether the text is in the clipboard now. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // not allowed, or not on a page without TLS
  }
}

function live(state) {
  $("live").dataset.live = state;
  say("live-text", LIVE[state]);
}

function say(id, text) {
  // A screen reader speaks a text each time it is set.
  if ($(id).textContent !== text) $(id).textContent = text;
}

function clear() {
  say("headline", "Loading your booking");
  for (const id of ["summary", "told", "wrong-key", "trouble", "refusal", "deadline", "access", "another-note", "copied"]) say(id, "");
  live("yes");
  $("another").hidden = true;
  $("fresh").classList.remove("quiet");
  $("timeline").replaceChildren();
  $("cancel").hidden = $("confirmation").hidden = true;
}

/** Opens or closes the question, and moves the focus with it. */
function ask(open) {
  $("confirmation").hidden = !open;
  $("cancel").setAttribute("aria-expanded", open);
  (open ? $("keep") : $("cancel")).focus();
  if (open) say("refusal", "");
}

function showBooking(booking, slow) {
  const [title, summary] = headline(booking);
  say("headline", title);
  say("summary", summary);
  say("deadline", deadline(booking));
  say("access", access(booking));
  $("booking").dataset.tone = tone(booking);
  // A view without the passenger may not change anything.
  $("cancel").hidden = !booking.passenger || !["pending", "tickets_reserved", "confirmed"].includes(booking.status);
  if ($("cancel").hidden) $("confirmation").hidden = true;
  document.title = `${label(booking)} · ${booking.flight_id} · Gateway`;
  showTimeline(steps(booking, slow));
}

/** What the mark of a step means, for who does not see it. */
const STATES = { done: "Done", stop: "Stopped", now: "Now", next: "Next" };

/** Redraws only the steps that changed; they appear one after another. */
function showTimeline(all) {
  const list = $("timeline");
  let turn = 0;
  all.forEach((step, index) => {
    const key = JSON.stringify(step);
    const old = list.children[index];
    if (old?.dataset.key === key) return;
    const item = draw(step);
    item.dataset.key = key;
    item.style.setProperty("--turn", turn);
    turn += 1;
    if (old) old.replaceWith(item);
    else list.append(item);
  });
  while (list.children.length > all.length) list.lastElementChild.remove();
}

function draw({ state, title, detail, at, time }) {
  const item = $("step").content.firstElementChild.cloneNode(true);
  item.dataset.state = state;
  if (state === "now") item.setAttribute("aria-current", "step");
  item.querySelector(".unseen").textContent = `${STATES[state]}: `;
  item.querySelector(".what").textContent = title;
  item.querySelector(".detail").textContent = detail;
  if (at) {
    item.querySelector("time").dateTime = at;
    item.querySelector("time").textContent = time;
  } else {
    item.querySelector("time").remove();
  }
  return item;
}
