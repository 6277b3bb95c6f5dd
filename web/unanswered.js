// The order that was sent and has no answer yet, with its idempotency key. It is stored before it is sent: if the
// answer or the page is lost, the same order goes out under the same key, and is booked once.

import { load, remove, save } from "./storage.js";

const NAME = "unanswered";
const FORMAT = 1;

/** `{ key, body }`, or null. What an older page or another program left under the name is dropped. */
export function unanswered() {
  const kept = load(NAME);
  if (isOrder(kept)) return kept;
  remove(NAME);
  return null;
}

/**
 * The order as it is to be sent. It is stored when this returns; the same order gets the key it was sent with.
 * Null, and nothing is stored, while another order has no answer.
 */
export function keep(order) {
  const body = JSON.stringify(order);
  const kept = unanswered();
  if (kept) return kept.body === body ? kept : null;
  const made = { format: FORMAT, key: freshKey(), body };
  save(NAME, made);
  return made;
}

/** For an order that was answered, or is given up. One that was kept since, by another tab, stays. */
export function drop({ key }) {
  if (unanswered()?.key === key) remove(NAME);
}

/** Calls `changed` when another tab keeps or drops an order. */
export function onChange(changed) {
  addEventListener("storage", ({ key }) => (key === NAME || key === null) && changed());
}

function isOrder(kept) {
  if (kept?.format !== FORMAT || !/^[\x21-\x7e]{1,255}$/.test(kept.key)) return false;
  try {
    const { flight_id: flight, seats } = JSON.parse(kept.body);
    return typeof flight === "string" && Number.isInteger(seats);
  } catch {
    return false;
  }
}

// A UUIDv7: its time becomes that of the booking's id, so that the bookings of a day share pages of an index.
function freshKey(now = Date.now()) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let place = 5, rest = now; place >= 0; place -= 1, rest = Math.floor(rest / 256)) bytes[place] = rest % 256;
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
