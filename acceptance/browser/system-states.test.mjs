// Every state of the system page: without an error of axe, in both colour schemes, on a desk and on a phone, with a
// screenshot of each.

import assert from "node:assert/strict";
import { test } from "node:test";

import { book, openSystem, setMode, within } from "./system.mjs";
import { startServer } from "./server.mjs";

const STATES = {
  quiet: { sees: ["#verdict", /Expected = actual No orders yet/] },
  live: {
    bring: async (server) => {
      for (let count = 0; count < 6; count += 1) await book(server);
    },
    sees: ["#verdict", /6 orders: 6 confirmed/],
    journey: true,
  },
  stopped: {
    bring: async (server) => {
      await server.run("billing-service", false);
      for (let count = 0; count < 12; count += 1) await book(server);
    },
    customers: 3,
    sees: ['[data-topic="billing"] .topic', /\d+ waiting/],
    journey: true,
  },
  crowded: {
    bring: async (server) => {
      await server.run("email-service", false);
      for (let count = 0; count < 45; count += 1) await book(server);
    },
    sees: ['[data-topic="email"] .topic', /45 waiting/],
  },
  broken: {
    bring: async (server) => {
      await setMode(server, "unavailable");
      for (let count = 0; count < 4; count += 1) await book(server);
    },
    customers: 2,
    sees: ['[data-topic="billing"] .topic', /to be tried again/],
    journey: true,
  },
  differences: {
    bring: async (server) => {
      for (const kind of ["unreadable", "newer-version"]) await server.send("POST", "/operator/poison", { topic: "billing", kind });
    },
    sees: ["#verdict", /≠ actual, 2 differences/],
  },
  stripe: {
    serve: { more: ["--payment-provider", "stripe"], env: { STRIPE_SECRET_KEY: "sk_test_x" } },
    sees: ['[data-node="provider"]', /Stripe answers\. It cannot be broken from here/],
  },
};
const SIZES = [["1280", { width: 1280, height: 900 }], ["390", { width: 390, height: 844 }]];

for (const [state, { serve, bring, customers = 0, sees, journey }] of Object.entries(STATES)) {
  test(`the page is accessible when ${state}, light and dark, wide and narrow`, async (context) => {
    const server = await startServer(serve);
    context.after(server.stop);
    await bring?.(server);
    const system = await openSystem(context, server);
    for (let count = 0; count < customers; count += 1) await system.press("Book one");
    await within(10, async () => assert.match(await system.text(sees[0]), sees[1]));
    if (journey) await system.chooseFirst();
    if (state === "stripe") assert.equal(await system.page.$eval("#mode-row", (row) => row.checkVisibility()), false);
    for (const [name, size] of SIZES) {
      await system.page.setViewport(size);
      for (const scheme of ["light", "dark"]) {
        await system.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        await within(2, async () => assert.equal(await system.overflow(), 0, `${name}: nothing is wider than the window`));
        await system.screenshot(`${state}-${scheme}-${name}`);
        await system.assertAccessible();
      }
    }
    assert.deepEqual(system.complaints, []);
  });
}

test("the page is loading until the server answers, and says so", async (context) => {
  const server = await startServer();
  context.after(server.stop);
  const system = await openSystem(context, server);
  await system.page.setRequestInterception(true);
  system.page.on("request", (request) => (request.url().includes("/operator/") ? undefined : request.continue()));
  await system.page.reload({ waitUntil: "domcontentloaded" });
  await system.sees("#link-text", /^Loading$/);
  await system.sees("#verdict", /being compared/);
  await system.screenshot("loading-light-1280");
  await system.assertAccessible();
});

for (const [width, state] of [[1280, "wide"], [390, "narrow"]]) {
  test(`with a default font of 32 pixels nothing overflows on a ${state} window`, async (context) => {
    const server = await startServer();
    context.after(server.stop);
    for (const topic of ["billing", "tickets"]) await server.send("POST", "/operator/poison", { topic, kind: "unreadable" });
    await server.run("billing-service", false);
    for (let count = 0; count < 45; count += 1) await book(server);
    const system = await openSystem(context, server, { width, font: 32 });
    assert.equal(await system.page.evaluate(() => getComputedStyle(document.documentElement).fontSize), "32px");
    await system.chooseFirst();
    await within(2, async () => assert.equal(await system.overflow(), 0));
    await system.screenshot(`large-font-light-${width}`);
    await system.assertAccessible();
  });
}

test("with reduced motion nothing moves, and the numbers say it all", async (context) => {
  const server = await startServer();
  context.after(server.stop);
  const [still, moving] = [await openSystem(context, server, { still: true }), await openSystem(context, server)];
  await server.run("billing-service", false);
  for (const system of [still, moving]) {
    await system.page.evaluate(() => {
      window.moved = 0;
      new MutationObserver((all) => (window.moved += all.length)).observe(document.querySelector(".traffic"), { childList: true });
    });
  }
  for (let count = 0; count < 4; count += 1) await book(server);
  await within(5, async () => assert.equal(await moving.page.$$eval("#pipes .dot", (dots) => dots.length), 4));
  assert.ok((await moving.page.evaluate(() => window.moved)) > 0, "messages move where that is welcome");
  await still.sees('[data-topic="billing"] .topic', /4 waiting/);
  assert.deepEqual(await still.page.evaluate(() => [window.moved, document.querySelectorAll("#pipes .dot").length, document.getAnimations().length]), [0, 0, 0]);
  await still.screenshot("reduced-motion-light-1280");
});

test("everything can be done by keyboard alone, and the focus stays where it is", async (context) => {
  const server = await startServer();
  context.after(server.stop);
  const system = await openSystem(context, server);
  const { keyboard } = system.page;
  await system.tabTo(/^Book one$/);
  await keyboard.press("Enter");
  await within(5, async () => assert.match(await system.figure("topics", "away"), /^0 of 1$/));
  assert.equal(await system.focused(), "Book one");
  await system.tabTo(/^Billing Service$/);
  await keyboard.press("Space");
  await within(2, async () => assert.equal(await system.isOn("billing-service"), false));
  assert.equal(await system.focused(), "Billing Service");
  await system.tabTo(/^…[0-9a-f]{8}$/);
  const order = await system.focused();
  // Other orders come before it in the list, and the focus stays on it.
  for (let count = 0; count < 3; count += 1) await book(server);
  await within(5, async () => assert.equal((await system.texts("#orders-rows tr")).length, 4));
  assert.equal(await system.focused(), order);
  await keyboard.press("Enter");
  await within(2, async () => assert.match(await system.focused(), /^Journey of …/));
  await server.run("billing-service", true);
  await system.tabTo(/^Send it$/);
  await keyboard.press("Enter");
  await system.sees("#letters-rows", /billing/, 5);
  await keyboard.down("Shift");
  await system.tabTo(/^Discard no event in billing/);
  await keyboard.up("Shift");
  await keyboard.press("Enter");
  await keyboard.press("Escape");
  await within(2, async () => assert.match(await system.focused(), /^Discard no event/, "the dialog leads back"));
  assert.deepEqual(system.complaints, []);
});

test("a hidden page closes its stream, and opens it when it is shown", async (context) => {
  const server = await startServer();
  context.after(server.stop);
  const system = await openSystem(context, server);
  const streams = [];
  system.page.on("request", (request) => request.url().endsWith("/operator/events") && streams.push("opened"));
  system.page.on("requestfailed", (request) => request.url().endsWith("/operator/events") && streams.push("closed"));
  const other = await system.page.browserContext().newPage();
  await other.bringToFront();
  await within(5, async () => assert.deepEqual(streams, ["closed"]));
  assert.equal(await system.page.evaluate(() => document.body.dataset.link), "paused");
  await book(server);
  await system.page.bringToFront();
  await within(5, system.isLive);
  assert.deepEqual(streams, ["closed", "opened"]);
  await system.sees("#orders-rows", /confirmed/);
});
