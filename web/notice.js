// The notice of an order that got no answer: it may have been booked, so the customer chooses what becomes of it.

import { seats } from "./formats.js";
import { onChange, unanswered } from "./unanswered.js";

const $ = (id) => document.querySelector(`#${id}`);
const notice = $("unanswered");

/** Each is called with the order of the notice. */
export function prepareNotice({ find, forget }) {
  // What counts is what is stored now: another tab may have found or forgotten the order.
  const choose = (choice) => () => (unanswered() ? choice(unanswered()) : showNotice());
  $("find").addEventListener("click", choose(find));
  $("forget").addEventListener("click", choose(forget));
  onChange(showNotice);
}

/** Shows the notice if an order has no answer, and hides it if none is left. */
export function showNotice() {
  const kept = unanswered();
  notice.hidden = !kept;
  $("held").hidden = true;
  sayInNotice("");
  if (!kept) return;
  const { seats: count, flight_id: flight } = JSON.parse(kept.body);
  $("unanswered-order").textContent = `${seats(count)} on ${flight}`;
}

/** For an order that was not sent because the earlier one has no answer. */
export function insist() {
  showNotice();
  $("held").hidden = false;
  notice.focus();
}

export const sayInNotice = (text) => {
  $("unanswered-trouble").textContent = text;
};
