// The bookings made in this browser, newest first: of each its id, its token if it has one, and what it is called.

import { load, save } from "./storage.js";

const NAME = "bookings";
const MOST = 8;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const TOKEN = /^[\w-]{22}$/;

export const isId = (text) => UUID.test(text);
export const isToken = (text) => TOKEN.test(text);

/** What follows the `#` in a booking's address. With the token one may see and cancel the booking. */
export const fragment = ({ id, token }) => (token ? `${id}/${token}` : id);

/** All of them: `[{ id, token, called }]`. A list of an earlier version of the page has ids alone. */
export function recent() {
  const list = load(NAME);
  if (!Array.isArray(list)) return [];
  return list
    .map((entry) => (typeof entry === "string" ? { id: entry } : { ...entry }))
    .filter(({ id }) => isId(id))
    .map(({ id, token, called }) => ({ id, ...(isToken(token) && { token }), ...(isName(called) && { called }) }));
}

const isName = (called) => typeof called === "string" && called.length > 0 && called.length <= LONGEST;
const LONGEST = 120;

export const tokenOf = (id) => recent().find((booking) => booking.id === id)?.token;

export const keep = (booking) => save(NAME, [booking, ...others(booking.id)].slice(0, MOST));

/** Calls a booking that is in the list by its flight and date. True if the list has changed. */
export function call(id, called) {
  const list = recent();
  const booking = list.find((one) => one.id === id);
  if (!booking || booking.called === called || !isName(called)) return false;
  booking.called = called;
  save(NAME, list);
  return true;
}

export const drop = (id) => save(NAME, others(id));

/** Forgets a token that the server has refused; another one for the same booking stays. */
export function dropToken(id, token) {
  const forget = ({ token: _, ...booking }) => booking;
  save(NAME, recent().map((booking) => (booking.id === id && booking.token === token ? forget(booking) : booking)));
}

const others = (id) => recent().filter((booking) => booking.id !== id);
