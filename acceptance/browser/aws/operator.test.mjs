// The system page of a stack on AWS, as `operator serve` shows it to the stack's operator. `.ci/browser aws` runs it, with
// STACK, AWS_ENDPOINT_URL, API_URL, where customers book, and BILLING_QUEUE, the URL of a topic.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";

import { startProgram } from "../server.mjs";
import { ORDER, openSystem, within } from "../system.mjs";

const { OPERATOR, STACK, AWS_ENDPOINT_URL, API_URL, BILLING_QUEUE } = process.env;

/** It looks every 5 s. */
const A_LOOK = 10;

let operator;
before(async () => {
  operator = await startProgram(OPERATOR, ["--stack", STACK, "serve", "--port", "0"]);
});
after(() => operator.end("SIGTERM"));

async function book() {
  const answer = await fetch(`${API_URL}/bookings`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...ORDER, flight_id: "OS-900" }),
  });
  assert.equal(answer.status, 202);
  return (await answer.json()).id;
}

const becomes = (id, status) =>
  within(20, async () => assert.equal((await (await fetch(`${API_URL}/bookings/${id}`)).json()).status, status));

/** Sends a message to billing, as anyone may who has the right: LocalStack reads the service off the credential. */
async function send(body) {
  const answer = await fetch(AWS_ENDPOINT_URL, {
    method: "POST",
    headers: {
      "Content-Type": "application/x-www-form-urlencoded",
      Authorization: "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=none",
    },
    body: new URLSearchParams({ Action: "SendMessage", QueueUrl: BILLING_QUEUE, MessageBody: body }),
  });
  assert.equal(answer.status, 200);
}

/** How many differences the command finds: what was done to the stack before may have left some. */
function differences() {
  const { status, stdout } = spawnSync(OPERATOR, ["--stack", STACK, "audit", "--json"], { encoding: "utf8" });
  assert.ok(status === 0 || status === 1, `the audit tells: ${status}`);
  return JSON.parse(stdout).discrepancies.length;
}

const equality = (count) => (count ? new RegExp(`^Expected ≠ actual, ${count} differences?$`) : /^Expected = actual$/);

const open = (context, options) => openSystem(context, operator, { ...options, platform: "aws" });
const billing = (system) => system.text('[data-topic="billing"] .topic');

/** What can be pressed, chosen or filled in on the page, by its name. */
const controls = (system) =>
  system.page.evaluate(() => {
    const name = (one) => one.getAttribute("aria-label") ?? document.getElementById(one.getAttribute("aria-labelledby"))?.textContent
      ?? one.labels?.[0]?.textContent ?? one.textContent;
    const all = [...document.querySelectorAll("a, button, select, input, summary")].filter((one) => one.checkVisibility({ visibilityProperty: true }));
    return all.map((one) => `${one.localName} ${(one.localName === "select" ? one.labels[0].firstChild.textContent : name(one)).trim()}`);
  });

test("the page has what the stack can do, and nothing else", async (context) => {
  const system = await open(context);
  assert.deepEqual(await controls(system), [
    "a Gateway",
    "a System",
    "button Compare now",
    "button Booking Gateway",
    "button Ticket Service",
    "button Billing Service",
    "button Email Service",
    "summary The same as a table",
    "select Show",
    "input Order’s id",
    "button Find",
  ]);
  assert.match(await system.text('[data-node="provider"]'), /simulated answers\.$/);
  // The way to the page from its address alone.
  await system.page.goto(operator.url);
  await system.isLive("aws");
  assert.equal(new URL(system.page.url()).pathname, "/system");
  assert.deepEqual(system.complaints, []);
});

test("the topics, their counts that are not exact, and what is not counted at all", async (context) => {
  const system = await open(context);
  assert.deepEqual(await system.texts("[data-topic] .topic b"), ["order-updates", "tickets", "billing", "email"]);
  assert.deepEqual(await system.texts("[data-node] .state"), ["consuming", "running", "running", "running"]);
  assert.match(await system.text("#picture ~ [data-lacks=exact_counts]"), /approximate/);
  assert.match(await system.text('[data-node="ticket-service"] .duty'), /not counted/);
  await system.page.locator(".as-table summary").click();
  const cells = await system.page.$$eval("#topics-rows tr", (rows) => rows.map((row) => [...row.cells].slice(-2).map((cell) => cell.textContent)));
  assert.deepEqual(cells, Array(4).fill(["unknown", "unknown"]));
});

test("an order waits while billing is stopped, has its journey, and is equal once it is done", async (context) => {
  const system = await open(context);
  context.after(() => operator.send("PUT", "/operator/services/billing-service", { running: true }));
  await system.page.locator('[data-node="billing-service"] .switch').click();
  await within(A_LOOK, async () => {
    assert.equal(await system.isOn("billing-service"), false);
    assert.match(await system.text('[data-node="billing-service"] .state'), /^stopped/);
  });
  const id = await book();
  await system.sees("#orders-rows tr", new RegExp(`^…${id.slice(-8)} tickets reserved payment`), A_LOOK);
  await within(A_LOOK, async () => assert.match(await billing(system), /about 1 waiting/));
  await system.chooseFirst();
  await system.sees("#journey-id", new RegExp(id));
  await system.sees("#journey-state", /^tickets reserved, waits for payment$/);
  await system.sees("#journey [data-lacks=messages]", /in the logs/);
  await system.screenshot("aws-stopped-light-1280");
  await system.assertAccessible();

  await system.page.locator('[data-node="billing-service"] .switch').click();
  await becomes(id, "confirmed");
  await within(A_LOOK, async () => {
    assert.equal(await system.isOn("billing-service"), true);
    assert.match(await system.text("#journey-state"), /^confirmed$/);
    assert.deepEqual(new Set(await system.texts("#journey-rows td:last-child")), new Set(["= equal"]));
  });
  const steps = (await system.texts("#journey-steps li")).join("\n");
  assert.match(steps, /books: POST \/bookings → 202[^]*order is tickets reserved[^]*order is confirmed/);
  await system.sees("#orders-empty", /^No order waits/, A_LOOK);
  await system.page.select("#orders-filter", "newest");
  await within(A_LOOK, async () => assert.match((await system.texts("#orders-rows tr")).join("\n"), /confirmed/));
  assert.deepEqual(system.complaints, []);
});

test("expected and actual are compared when an operator asks, and not before", async (context) => {
  const system = await open(context);
  await system.sees("#verdict-title", /^Expected and actual are not compared yet$/);
  await system.press("Compare now");
  await system.sees("#verdict", /\d+ orders? compared\. Checked /, 2 * A_LOOK);
  assert.match(await system.text("#verdict-title"), equality(differences()), "as the command says");
  await system.screenshot("aws-equal-light-1280");
});

test("a message that cannot be read is seen with its reason, and discarded for one", async (context) => {
  const already = differences();
  const system = await open(context, { width: 390, height: 844, scheme: "dark" });
  await send("not an event");
  await system.sees("#letters-rows tr", /^billing no event – .+ 1 attempt/, 2 * A_LOOK);
  assert.ok((await system.text("#letters-rows td:nth-child(4)")).length > 5, "why");
  assert.equal(await system.overflow(), 0);
  await system.screenshot("aws-dead-letter-dark-390");
  await system.assertAccessible();
  await system.press("Compare now");
  await system.sees("#verdict-title", equality(already + 1), 2 * A_LOOK);
  await system.page.locator("#differences summary").click();
  await system.sees("#differences-list li", /no dead letters/);
  await system.page.locator("#letters-rows button:nth-of-type(2)").click();
  await system.page.locator("#discard-reason").fill("sent to try it");
  await system.press("Discard it");
  await system.sees("#letters-empty", /No message was given up/, A_LOOK);
  await system.press("Compare now");
  await system.sees("#verdict-title", equality(already), 2 * A_LOOK);
  assert.deepEqual(system.complaints, []);
});
