// The bookings made in this browser, newest first: of each its id, and its token if it has one.

import { load, save } from "./storage.js";

const NAME = "bookings";
const MOST = 8;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const TOKEN = /^[\w-]{22}$/;

export const isId = (text) => UUID.test(text);
export const isToken = (text) => TOKEN.test(text);

/** What follows the `#` in a booking's address. With the token one may see and cancel the booking. */
export const fragment = ({ id, token }) => (token ? `${id}/${token}` : id);

/** All of them: `[{ id, token }]`. A list of an earlier version of the page has ids alone. */
export function recent() {
  const list = load(NAME);
  if (!Array.isArray(list)) return [];
  return list
    .map((entry) => (typeof entry === "string" ? { id: entry } : { id: entry?.id, token: entry?.token }))
    .filter(({ id }) => isId(id))
    .map(({ id, token }) => (isToken(token) ? { id, token } : { id }));
}

export const tokenOf = (id) => recent().find((booking) => booking.id === id)?.token;

export const keep = (booking) => save(NAME, [booking, ...others(booking.id)].slice(0, MOST));

export const drop = (id) => save(NAME, others(id));

/** Forgets a token that the server has refused; another one for the same booking stays. */
export function dropToken(id, token) {
  save(NAME, recent().map((booking) => (booking.id === id && booking.token === token ? { id } : booking)));
}

const others = (id) => recent().filter((booking) => booking.id !== id);
