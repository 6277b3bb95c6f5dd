// An order is stored with its key before it is sent, and until it is answered.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { drop, keep, unanswered } from "../unanswered.js";
import { Storage, blocked } from "./storage.mjs";

const order = { flight_id: "OS-101", seats: 2, passenger: { name: "Ada Byron", email: "ada@example.com" } };
const other = { ...order, seats: 3 };

beforeEach(() => {
  globalThis.localStorage = new Storage();
});

/** What a page finds that is loaded now: nothing but the storage is left. */
async function afterReload() {
  return import(`../unanswered.js?${Math.random()}`);
}

test("an order that was sent is found after a reload, with its key and body", async () => {
  const sent = keep(order);
  assert.equal(sent.body, JSON.stringify(order));
  const page = await afterReload();
  assert.deepEqual(page.unanswered(), sent);
  assert.equal(page.keep(order).key, sent.key);
});

test("each order has a key of its own that a header can carry", () => {
  const keys = Array.from({ length: 50 }, () => {
    const sent = keep(order);
    drop(sent);
    return sent.key;
  });
  assert.equal(new Set(keys).size, 50);
  for (const key of keys) assert.match(key, /^[\x21-\x7e]{16,255}$/);
});

test("another order is not kept while one is unanswered", () => {
  const sent = keep(order);
  assert.equal(keep(other), null);
  assert.deepEqual(unanswered(), sent);
});

test("an order that is dropped is gone, and another tab's order stays", () => {
  const first = keep(order);
  drop(first);
  assert.equal(unanswered(), null);
  const second = keep(other);
  drop(first);
  assert.deepEqual(unanswered(), second);
});

test("where storage is blocked, an order is kept as long as the page is", () => {
  globalThis.localStorage = blocked;
  const sent = keep(order);
  assert.deepEqual(unanswered(), sent);
  assert.equal(keep(order).key, sent.key);
  assert.equal(keep(other), null);
  drop(sent);
  assert.equal(unanswered(), null);
});

test("where storage is full, an order is kept as long as the page is", (context) => {
  context.mock.method(localStorage, "setItem", () => {
    throw new Error("the storage is full");
  });
  const sent = keep(order);
  assert.deepEqual(unanswered(), sent);
  drop(sent);
});

test("what another format or another program left is dropped", () => {
  const body = JSON.stringify(order);
  const bad = [
    "garbage", "", "null", "7", "[]", "{}", `"${"x".repeat(40)}"`,
    JSON.stringify({ key: "k", body }),
    JSON.stringify({ format: 0, key: "k", body }),
    JSON.stringify({ format: 1, key: "a key\n", body }),
    JSON.stringify({ format: 1, key: "k", body: "{" }),
    JSON.stringify({ format: 1, key: "k", body: "null" }),
    JSON.stringify({ format: 1, key: "k", body: order }),
    JSON.stringify({ format: 1, key: "k", body: JSON.stringify({ ...order, seats: "<b>" }) }),
  ];
  for (const text of bad) {
    localStorage.setItem("unanswered", text);
    assert.equal(unanswered(), null, text);
    assert.equal(localStorage.getItem("unanswered"), null, text);
    const sent = keep(order);
    assert.ok(sent, text);
    drop(sent);
  }
});
