// The boarding pass: a draft beside the form, the ticket beside a booking.

import { departure, money, seats } from "./formats.js";
import { label, tone } from "./texts.js";

/** From how many letters on the names of two cities have no room side by side. */
const LONG = 11;

const pass = document.querySelector("#pass");
const bars = document.querySelector("#bars");
const passenger = document.querySelector("#passenger");
const reference = document.querySelector("#reference");
const buy = document.querySelector("#buy");

/** The order in the form. `flight` is undefined until one is chosen. */
export function showDraft({ flight, count, name }) {
  fill({ flight, count, name, tone: "draft", status: "Not booked yet" });
  if (buy.getAttribute("aria-busy") !== "true") buy.textContent = `Buy ${seats(count)}`;
}

/** `flight` is undefined until the departures are loaded, and if they do not include it. */
export function showTicket(booking, flight) {
  fill({
    flight,
    flightId: booking.flight_id,
    count: booking.seats,
    name: booking.passenger?.name,
    amount: booking.amount,
    tone: tone(booking),
    status: label(booking),
    id: booking.id,
  });
  bars.firstElementChild.setAttribute("d", barcode(booking.id));
}

function fill({ flight, flightId = flight?.id, count, name, amount, tone, status, id }) {
  // There is no amount until the seats are held. Until then the expected total is shown.
  const expected = flight && (tone === "draft" || tone === "open");
  const total = amount ?? (expected && { value: flight.price.value * count, currency: flight.price.currency });
  const leaves = flight && departure(flight);
  const texts = {
    flight: flightId ?? "Flight",
    status,
    from: flight?.from,
    to: flight?.to,
    date: leaves?.day,
    time: leaves && `${leaves.hour} ${leaves.zone}`,
    seats: String(count),
    name,
    total: total && money(total),
    id,
  };
  for (const slot of pass.querySelectorAll("[data-pass]")) {
    const text = texts[slot.dataset.pass] || "–";
    slot.textContent = text;
    // Airport codes are short enough for a larger type than city names.
    slot.classList.toggle("airport", /^[A-Z]{3}$/.test(text));
    slot.classList.toggle("long", text.length > LONG);
  }
  pass.dataset.tone = tone;
  pass.hidden = false;
  buy.hidden = Boolean(id);
  reference.hidden = !id;
  passenger.hidden = Boolean(id && !name); // as everyone may see the booking
  bars.toggleAttribute("hidden", !id);
}

/** Decoration drawn from the reference. Each booking has its own. */
function barcode(id) {
  let x = 0;
  let path = "";
  for (const digit of id.replaceAll("-", "")) {
    const value = parseInt(digit, 16);
    const bar = 1 + (value & 3);
    path += `M${x} 0h${bar}v40h-${bar}z`;
    x += bar + 1 + (value >> 2);
  }
  bars.setAttribute("viewBox", `0 0 ${x} 40`);
  return path;
}
