import assert from "node:assert/strict";
import { test } from "node:test";

process.env.TZ = "Europe/Vienna"; // before the formats are made
const { day, departure, hour, moment, money, seats, sentence, stamp, words } = await import("../formats.js");

test("money is in minor units, of which each currency has its own number", () => {
  assert.equal(money({ value: 12950, currency: "EUR" }), "€129.50");
  assert.equal(money({ value: 5, currency: "USD" }), "US$0.05");
  assert.equal(money({ value: 12950, currency: "JPY" }), "JP¥12,950");
  assert.equal(money({ value: 12950, currency: "KWD" }), "KWD\u00a012.950");
});

test("money of nothing, and of large amounts", () => {
  assert.equal(money({ value: 0, currency: "EUR" }), "€0.00");
  assert.equal(money({ value: 123456789, currency: "GBP" }), "£1,234,567.89");
  assert.equal(money({ value: 9_007_199_254_740_991, currency: "JPY" }), "JP¥9,007,199,254,740,991");
});

test("money of a currency that has no sign is shown with its code", () => {
  assert.equal(money({ value: 12950, currency: "XQZ" }), "XQZ\u00a0129.50");
});

test("times are in the reader's time zone, in summer and in winter", () => {
  assert.equal(hour("2026-12-24T06:30:00Z"), "07:30");
  assert.equal(hour("2026-07-01T06:30:00Z"), "08:30");
  assert.equal(hour("2026-12-24T23:00:00Z"), "00:00");
});

test("days are in the reader's time zone", () => {
  assert.match(day("2026-12-24T06:30:00Z"), /^Thu,? 24 Dec$/); // the comma comes and goes with the data of the engine
  assert.match(day("2026-12-24T23:30:00Z"), /^Fri,? 25 Dec$/);
});

test("a time of today has no day, other times have one", () => {
  const now = new Date("2026-12-24T12:00:00Z");
  assert.equal(moment("2026-12-24T06:30:00Z", now), "07:30");
  assert.equal(stamp("2026-12-24T06:30:05.120Z", now), "07:30:05");
  assert.match(moment("2026-12-25T06:30:00Z", now), /^Fri,? 25 Dec, 07:30$/);
  assert.match(stamp("2026-12-23T06:30:05Z", now), /^Wed,? 23 Dec, 07:30:05$/);
  assert.match(moment("2026-12-24T23:30:00Z", now), /^Fri,? 25 Dec, 00:30$/); // today in UTC, not in Vienna
});

test("a departure is on the clock of its airport, and says which", () => {
  const told = (time_zone, departs_at = "2026-12-24T23:30:00Z") => Object.values(departure({ departs_at, time_zone })).join(" ").replace(",", "");
  assert.equal(told("Europe/Vienna"), "Fri 25 Dec 00:30 CET");
  assert.equal(told("Europe/Vienna", "2026-07-01T06:40:00Z"), "Wed 1 Jul 08:40 CEST");
  assert.equal(told("Asia/Tokyo"), "Fri 25 Dec 08:30 GMT+9");
  assert.equal(told("UTC"), "Thu 24 Dec 23:30 UTC");
  assert.equal(told("Mars/Olympus"), "Thu 24 Dec 23:30 UTC", "a zone that this browser does not know");
  assert.equal(told(undefined), "Thu 24 Dec 23:30 UTC", "a server of before");
});

test("seats are counted", () => {
  assert.deepEqual([1, 2, 9].map(seats), ["1 seat", "2 seats", "9 seats"]);
});

test("a name of the API is written in words", () => {
  assert.equal(words("on_waiting_list"), "On waiting list");
});

test("a message becomes one sentence", () => {
  assert.equal(sentence("seats must be a whole number"), "Seats must be a whole number.");
  assert.equal(sentence("Please try again."), "Please try again.");
});
