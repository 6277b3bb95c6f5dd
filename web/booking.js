// One booking: how it stands, its timeline, and the way to cancel it.

import { Refusal, cancel, flights, watch } from "./api.js";
import { showTicket } from "./pass.js";
import { deadline, headline, label, steps, tone } from "./story.js";

const $ = (id) => document.querySelector(`#${id}`);
const TROUBLE = "No connection to the booking desk. Your booking is safe; trying again by itself.";

/**
 * Shows and follows the booking until `signal` aborts. `fresh` is the booking if it has just been
 * made: it is shown before anything is asked. `onMissing` is called if there is none of that id.
 */
export function openBooking(id, signal, { fresh, onMissing }) {
  let booking = null;
  let departures = [];
  let sending = false;
  let following = new AbortController();

  function show(seen) {
    booking = seen;
    showBooking(seen);
    showTicket(seen, departures.find((flight) => flight.id === seen.flight_id));
  }

  async function follow() {
    following.abort();
    following = new AbortController();
    signal.addEventListener("abort", () => following.abort(), { once: true });
    const onTrouble = (lost) => say("trouble", lost ? TROUBLE : "");
    try {
      await watch(id, following.signal, { onBooking: show, onTrouble });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (signal.aborted) return;
      if (error.status === 404) onMissing();
      else say("trouble", error.message);
    }
  }

  async function callOff() {
    if (sending) return;
    sending = true;
    let refusal = "";
    try {
      const { content } = await cancel(id);
      if (!signal.aborted) show(content);
    } catch (error) {
      refusal = error instanceof Refusal ? error.message : "No answer from the booking desk. Cancelling again is safe.";
    }
    sending = false;
    if (signal.aborted) return;
    ask(false);
    say("refusal", refusal);
    if ($("cancel").hidden) $("headline").focus();
    // A refusal may mean that the booking has moved on since it was last seen.
    follow();
  }

  clear();
  if (fresh) show(fresh);
  follow();
  flights(signal).then((found) => {
    departures = found;
    if (booking && !signal.aborted) show(booking);
  });
  $("cancel").addEventListener("click", () => ask($("confirmation").hidden), { signal });
  $("keep").addEventListener("click", () => ask(false), { signal });
  $("confirm").addEventListener("click", callOff, { signal });
  $("confirmation").addEventListener("keydown", ({ key }) => key === "Escape" && ask(false), { signal });
}

function say(id, text) {
  // The same words again would be spoken again.
  if ($(id).textContent !== text) $(id).textContent = text;
}

function clear() {
  say("headline", "Looking up your booking");
  for (const id of ["summary", "trouble", "refusal", "deadline"]) say(id, "");
  $("timeline").replaceChildren();
  $("cancel").hidden = $("confirmation").hidden = true;
}

/** Opens or closes the question, and moves the keyboard with it. */
function ask(open) {
  $("confirmation").hidden = !open;
  $("cancel").setAttribute("aria-expanded", open);
  (open ? $("keep") : $("cancel")).focus();
  if (open) say("refusal", "");
}

function showBooking(booking) {
  const [title, summary] = headline(booking);
  say("headline", title);
  say("summary", summary);
  say("deadline", deadline(booking));
  $("booking").dataset.tone = tone(booking);
  $("cancel").hidden = !["pending", "tickets_reserved", "confirmed"].includes(booking.status);
  if ($("cancel").hidden) $("confirmation").hidden = true;
  document.title = `${label(booking)} · ${booking.flight_id} · Gateway`;
  showTimeline(steps(booking));
}

/** Touches only the steps that changed: those come in one after another, the rest stay put. */
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
  item.querySelector("b").textContent = title;
  item.querySelector(".detail").textContent = detail;
  if (at) {
    item.querySelector("time").dateTime = at;
    item.querySelector("time").textContent = time;
  } else {
    item.querySelector("time").remove();
  }
  return item;
}
