// The boarding pass that stands beside the form as a draft, and beside the booking as its ticket.

import { day, hour, label, money, seats, tone } from "./story.js";

const pass = document.querySelector("#pass");
const bars = document.querySelector("#bars");
const reference = document.querySelector("#reference");
const buy = document.querySelector("#buy");

/** What is being chosen: `flight` may still be undefined. */
export function showDraft({ flight, count, name }) {
  fill({ flight, count, name, tone: "draft", status: "Not booked yet" });
  buy.textContent = `Buy ${seats(count)}`;
}

/** `flight` is undefined until the departures are known, or if the booking's is not among them. */
export function showTicket(booking, flight) {
  fill({
    flight,
    flightId: booking.flight_id,
    count: booking.seats,
    name: booking.passenger.name,
    amount: booking.amount,
    tone: tone(booking),
    status: label(booking),
    id: booking.id,
  });
  bars.firstElementChild.setAttribute("d", barcode(booking.id));
}

function fill({ flight, flightId = flight?.id, count, name, amount, tone, status, id }) {
  // Until the seats are held there is no amount yet; what it will be is only shown while it may be.
  const hopeful = flight && (tone === "draft" || tone === "open");
  const total = amount ?? (hopeful && { value: flight.price.value * count, currency: flight.price.currency });
  const texts = {
    flight: flightId ?? "Flight",
    status,
    from: flight?.from,
    to: flight?.to,
    date: flight && day(flight.departs_at),
    time: flight && hour(flight.departs_at),
    seats: String(count),
    name,
    total: total && money(total),
    id,
  };
  for (const slot of pass.querySelectorAll("[data-pass]")) {
    const text = texts[slot.dataset.pass] || "–";
    slot.textContent = text;
    // Airport codes can stand far larger than the names of cities.
    slot.classList.toggle("airport", /^[A-Z]{3}$/.test(text));
  }
  pass.dataset.tone = tone;
  pass.hidden = false;
  buy.hidden = Boolean(id);
  reference.hidden = !id;
  bars.toggleAttribute("hidden", !id);
}

/** Decoration drawn from the reference, so that no two tickets look alike. */
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
