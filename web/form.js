// The order form: choose a flight, fill in, buy. The server checks the fields; the form shows each
// error next to its field.

import { Refusal, book, flights } from "./api.js";
import { departure, money, sentence } from "./formats.js";
import { insist, prepareNotice, sayInNotice, showNotice } from "./notice.js";
import { showDraft } from "./pass.js";
import { drop, keep } from "./unanswered.js";

const form = document.querySelector("#order");
const board = document.querySelector("#board");
const boardState = document.querySelector("#board-state");
const trouble = document.querySelector("#order-trouble");
const buy = document.querySelector("#buy");
const note = document.querySelector("#again-note");
const slots = [...form.querySelectorAll("[data-field]")];

let departures = [];
let onBooked;
let sending = false;

for (let count = 1; count <= 9; count += 1) {
  const seat = document.querySelector("#seat").content.cloneNode(true);
  const input = seat.querySelector("input");
  input.value = count;
  input.defaultChecked = count === 1;
  seat.querySelector("span").textContent = count;
  form.querySelector("#seats").append(seat);
}

/**
 * Shows the form with the present departures; `booked` is called with the new booking. `draft` is filled in: `{ flight,
 * seats, passenger, card }`, without a card if `card` is false.
 */
export async function openForm(signal, booked, draft) {
  onBooked = booked;
  trouble.textContent = "";
  note.textContent = "";
  showNotice();
  if (draft) fillIn(draft);
  // The departures of before stay until the present ones are there, so that nothing jumps.
  for (const input of board.querySelectorAll("input")) input.checked = false;
  boardState.textContent = departures.length ? "" : "Loading the departures.";
  form.toggleAttribute("data-loading", departures.length === 0);
  refreshDraft();
  const found = await flights(signal, (lost) => {
    if (!lost || signal.aborted) return;
    boardState.textContent = "The departures cannot be loaded. We keep trying.";
    form.removeAttribute("data-loading");
  });
  if (signal.aborted) return;
  const chosen = board.querySelector(":checked")?.value ?? draft?.flight;
  departures = found.sort((one, other) => Date.parse(one.departs_at) - Date.parse(other.departs_at));
  boardState.textContent = departures.length ? "" : "No flights are on sale at the moment.";
  board.replaceChildren(...departures.map(row));
  form.removeAttribute("data-loading");
  const input = [...board.querySelectorAll("input:enabled")].find(({ value }) => value === chosen);
  if (input) input.checked = true;
  refreshDraft();
  if (draft && input) invite(draft);
}

/** All of an earlier order but its flight, which is chosen when the departures are there. */
function fillIn({ seats, passenger, card }) {
  form.elements.seats.value = seats;
  form.elements.name.value = passenger.name;
  form.elements.email.value = passenger.email;
  if (!card) for (const choice of form.elements.payment_method) choice.checked = false;
}

/** Leads to what is left to do. */
function invite({ card }) {
  note.textContent = card ? "Your order is filled in again. Press Buy if it is right." : "Your order is filled in again. Choose another card.";
  if (card) buy.focus();
  else form.elements.payment_method[0].focus();
}

function row(flight) {
  const label = document.querySelector("#flight-row").content.firstElementChild.cloneNode(true);
  const departed = Date.parse(flight.departs_at) <= Date.now();
  const [scarcity, left] = departed ? ["none", "Departed"] : seatsLeft(flight);
  const leaves = departure(flight);
  const texts = { day: leaves.day, from: flight.from, to: flight.to, id: flight.id, price: money(flight.price), left };
  for (const part of label.querySelectorAll("[data-part]")) part.textContent = texts[part.dataset.part];
  const time = label.querySelector("time");
  time.dateTime = flight.departs_at;
  time.textContent = leaves.hour;
  label.dataset.left = scarcity;
  const input = label.querySelector("input");
  input.value = flight.id;
  input.disabled = departed;
  return label;
}

function seatsLeft({ seats_left: left, capacity }) {
  if (left === 0) return ["none", "Sold out"];
  if (left <= Math.max(9, capacity / 20)) return ["few", `Only ${left} left`];
  return ["some", `${left} left`];
}

function order() {
  const fields = new FormData(form);
  const seats = Number(fields.get("seats"));
  const flight = departures.find(({ id }) => id === fields.get("flight_id"));
  return {
    flight_id: fields.get("flight_id") ?? "",
    seats,
    // What the customer sees: at another price nothing is booked.
    expected_amount: flight && { value: flight.price.value * seats, currency: flight.price.currency },
    passenger: { name: fields.get("name").trim(), email: fields.get("email").trim() },
    payment_method: fields.get("payment_method"),
  };
}

function refreshDraft() {
  const { flight_id: id, seats: count, passenger } = order();
  showDraft({ flight: departures.find((flight) => flight.id === id), count, name: passenger.name });
}

form.addEventListener("input", ({ target }) => {
  const slot = slots.find((one) => owner(one).contains(target));
  if (slot) show(slot, "");
  refreshDraft();
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (sending) return;
  trouble.textContent = "";
  const kept = keep(order());
  if (!kept) {
    insist();
    return;
  }
  try {
    await send(kept);
    for (const slot of slots) show(slot, "");
  } catch (error) {
    showNotice();
    if (error instanceof Refusal) refuse(error);
    else trouble.textContent = "The booking service does not answer. Press Buy again: the same order is never booked twice.";
  }
});

prepareNotice({
  async find(kept) {
    if (sending) return;
    trouble.textContent = "";
    sayInNotice("");
    try {
      await send(kept);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        sayInNotice("The booking service does not answer. You can safely try again.");
        return;
      }
      trouble.textContent = `Your last order was not booked. ${error.message}`;
      buy.focus();
      showNotice();
    }
  },
  forget(kept) {
    if (sending) return;
    drop(kept);
    trouble.textContent = "";
    buy.focus(); // not on a button that is to go
    showNotice();
  },
});

/** Sends a kept order, and drops it with its answer. A page that ends before that finds the order again. */
async function send(kept) {
  setSending(true);
  try {
    onBooked(await book(kept));
    drop(kept);
  } catch (error) {
    if (error instanceof Refusal) drop(kept);
    throw error;
  } finally {
    setSending(false);
  }
}

// Not disabled while sending: a disabled button would lose the focus.
function setSending(now) {
  sending = now;
  for (const button of [buy, ...document.querySelectorAll("#unanswered .button")]) button.setAttribute("aria-disabled", now);
  buy.setAttribute("aria-busy", now);
  if (now) buy.textContent = "Sending order…";
  else refreshDraft();
}

function refuse({ message, errors }) {
  for (const slot of slots) {
    const error = errors.find(({ field }) => field === slot.dataset.field);
    show(slot, error ? slot.dataset.says ?? sentence(`${slot.dataset.name} ${error.message}`) : "");
  }
  const faulty = slots.filter((slot) => !slot.hidden);
  if (faulty.length) focusOn(owner(faulty[0]));
  if (faulty.length < errors.length || !errors.length) trouble.textContent = message;
}

/** The control, or the group of controls, that an error slot belongs to. */
const owner = (slot) => form.querySelector(`[aria-describedby~="${slot.id}"]`);

function show(slot, message) {
  slot.textContent = message;
  slot.hidden = !message;
  owner(slot).toggleAttribute("data-invalid", Boolean(message));
  if (owner(slot).matches("input")) owner(slot).setAttribute("aria-invalid", Boolean(message));
}

function focusOn(control) {
  const target = control.matches("input") ? control : control.querySelector(":checked") ?? control.querySelector("input");
  target?.focus();
}
