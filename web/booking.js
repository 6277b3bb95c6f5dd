// One booking: its status, its timeline, and its cancellation.

import { Refusal, cancel, flights, watch } from "./api.js";
import { showTicket } from "./pass.js";
import { access, deadline, headline, label, steps, tone } from "./texts.js";

const $ = (id) => document.querySelector(`#${id}`);
const TROUBLE = "The booking service does not answer. The booking is stored. We keep trying.";
const WRONG_KEY = "The key in this link is not right, so the booking is shown without what is personal, and cannot be changed here.";

/**
 * Shows and follows the booking until `signal` aborts. `fresh` is the booking if it was just
 * made: it is shown before the first request. `refused`: it has been asked for with a token that is not right.
 * `onMissing` is called if there is no such booking, `onRefused` if the token is not right.
 */
export function openBooking({ id, token }, signal, { fresh, refused, onMissing, onRefused }) {
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
      await watch(id, following.signal, { token, fresh: booking === fresh && fresh, onBooking: show, onTrouble });
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
  if (refused) say("wrong-key", WRONG_KEY);
  if (fresh) show(fresh);
  follow();
  flights(signal).then((found) => {
    departures = found;
    if (booking && !signal.aborted) show(booking);
  });
  $("cancel").addEventListener("click", () => ask($("confirmation").hidden), { signal });
  $("keep").addEventListener("click", () => ask(false), { signal });
  $("confirm").addEventListener("click", cancelBooking, { signal });
  $("confirmation").addEventListener("keydown", ({ key }) => key === "Escape" && ask(false), { signal });
}

function say(id, text) {
  // A screen reader speaks a text each time it is set.
  if ($(id).textContent !== text) $(id).textContent = text;
}

function clear() {
  say("headline", "Loading your booking");
  for (const id of ["summary", "wrong-key", "trouble", "refusal", "deadline", "access"]) say(id, "");
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

function showBooking(booking) {
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
  showTimeline(steps(booking));
}

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
