// The recent bookings: of each its id, and the token that this browser has for it.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { call, drop, dropToken, fragment, keep, recent, tokenOf } from "../recent.js";
import { Storage, blocked } from "./storage.mjs";

const id = (digit) => `0b5e7c5a-8f0e-4c43-9f5d-4f1f6f0f2a1${digit}`;
const TOKEN = "abcdefghij-_ABCDEFG012";
const OTHER = "zbcdefghij-_ABCDEFG012";

beforeEach(() => {
  globalThis.localStorage = new Storage();
});

test("the newest is first, each is there once, and no more than eight are", () => {
  for (const digit of [0, 1, 2, 3, 4, 5, 6, 7, 8, 1]) keep({ id: id(digit), token: TOKEN });
  assert.deepEqual(recent().map((booking) => booking.id), [1, 8, 7, 6, 5, 4, 3, 2].map(id));
});

test("a booking's address has its token", () => {
  keep({ id: id(1), token: TOKEN });
  assert.equal(tokenOf(id(1)), TOKEN);
  assert.deepEqual(recent().map(fragment), [`${id(1)}/${TOKEN}`]);
});

test("a list of ids alone, as an earlier version kept it, is read", () => {
  localStorage.setItem("bookings", JSON.stringify([id(1), id(2)]));
  assert.deepEqual(recent().map(fragment), [id(1), id(2)]);
  keep({ id: id(3), token: TOKEN });
  assert.deepEqual(recent(), [{ id: id(3), token: TOKEN }, { id: id(1) }, { id: id(2) }]);
});

test("a booking in the list is called by its flight, and keeps that without its token", () => {
  keep({ id: id(1), token: TOKEN });
  assert.equal(call(id(1), "OS-101, Vienna to Lisbon, Tue 1 Dec"), true);
  assert.equal(call(id(1), "OS-101, Vienna to Lisbon, Tue 1 Dec"), false, "nothing has changed");
  assert.equal(call(id(2), "OS-118"), false, "it is not in the list");
  dropToken(id(1), TOKEN);
  assert.deepEqual(recent(), [{ id: id(1), called: "OS-101, Vienna to Lisbon, Tue 1 Dec" }]);
  call(id(1), "x".repeat(200));
  assert.equal(recent()[0].called.length, 35, "what is too long for a list is not kept");
});

test("a refused token is forgotten, and no other one", () => {
  keep({ id: id(1), token: TOKEN });
  keep({ id: id(2), token: TOKEN });
  dropToken(id(1), OTHER);
  assert.equal(tokenOf(id(1)), TOKEN, "a wrong link does not cost the right token");
  dropToken(id(1), TOKEN);
  assert.deepEqual(recent(), [{ id: id(2), token: TOKEN }, { id: id(1) }]);
});

test("a booking that does not exist is dropped", () => {
  keep({ id: id(1), token: TOKEN });
  drop(id(1));
  assert.deepEqual(recent(), []);
});

test("what another program left is passed over", () => {
  for (const list of ["garbage", "{}", "7", "null", '"text"', '[null, 7, {}, {"id": 7}, "x", ["y"]]']) {
    localStorage.setItem("bookings", list);
    assert.deepEqual(recent(), [], list);
  }
  localStorage.setItem("bookings", JSON.stringify([{ id: id(1), token: "a/b" }, { id: id(2), token: 7 }]));
  assert.deepEqual(recent(), [{ id: id(1) }, { id: id(2) }]);
});

test("where storage is blocked, they are known as long as the page is", () => {
  globalThis.localStorage = blocked;
  keep({ id: id(1), token: TOKEN });
  assert.equal(tokenOf(id(1)), TOKEN);
});
