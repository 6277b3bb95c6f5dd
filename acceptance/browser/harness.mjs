// A customer in a real browser, before a real server. What happens is brought about by the customer's hands, the
// server and the network between them; no test calls the page's code.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after } from "node:test";
import puppeteer from "puppeteer-core";

import { startProxy } from "./proxy.mjs";
import { startServer } from "./server.mjs";

const CHROMIUM = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);
const PATIENCE_MS = 20_000;

export const ORDER = { flight: "OS-101", seats: 2, name: "Ada Byron", email: "ada@example.com" };

const launch = (...more) => puppeteer.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage", ...more] });

/** The reference of no booking. */
export const LOST = "00000000-0000-4000-8000-000000000000";

const browser = await launch();
after(() => browser.close());

/** A server, a network and a first customer, who has the page open. All of it ends with the test. */
export async function start(test, options = {}) {
  const server = await startServer(options);
  test.after(server.stop);
  const network = await startProxy(server.url);
  test.after(network.stop);
  const customer = await newCustomer(test, network.url);
  await customer.open("");
  return { server, network, customer };
}

/** Somebody with a browser of their own: nothing is stored in it. The test fails if the page logs an error. */
export async function newCustomer(test, url) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const errors = errorsOf(page);
  await page.evaluateOnNewDocument(noteShifts);
  test.after(async () => {
    await context.close();
    assert.deepEqual(errors, [], "errors of the page, and breaches of its policy");
  });
  return new Customer(page, url);
}

/** A page with its size in pixels, in a browser that has stored nothing; `font` is the size of the reader's default font. */
export async function openPage(test, { width, height, font }) {
  const whole = font ? await launch(`--blink-settings=defaultFontSize=${font}`) : browser;
  const context = font ? whole.defaultBrowserContext() : await whole.createBrowserContext();
  test.after(() => (font ? whole : context).close());
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.setViewport({ width, height });
  return page;
}

/** In the page: sums up what jumps. */
function noteShifts() {
  window.layoutShift = 0;
  const add = (shift) => {
    if (!shift.hadRecentInput) window.layoutShift += shift.value;
  };
  new PerformanceObserver((list) => list.getEntries().forEach(add)).observe({ type: "layout-shift", buffered: true });
}

/** What the page logs as an error. The browser itself logs answers that say no, which are the stories' own. */
function errorsOf(page) {
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (entry) => {
    const isAnswer = entry.text().startsWith("Failed to load resource: ");
    if (["error", "warn"].includes(entry.type()) && !isAnswer) errors.push(entry.text());
  });
  return errors;
}

class Customer {
  constructor(page, url) {
    this.page = page;
    this.url = url;
  }

  /** Opens an address; `fragment` is what follows its `#`. A new document, even if only the fragment differs. */
  async open(fragment) {
    await this.page.goto("about:blank");
    await this.page.goto(this.url + (fragment && `#${fragment}`));
  }

  /** Another tab of the same browser, with the form. */
  async openTab() {
    const tab = new Customer(await this.page.browserContext().newPage(), this.url);
    await tab.open("");
    return tab;
  }

  reload() {
    return this.page.reload();
  }

  /** Brings it to the middle of the window first, as a person does: at the lower edge the total may lie over it. */
  async click(selector) {
    const element = await this.page.waitForSelector(selector, { visible: true });
    await element.evaluate((one) => one.scrollIntoView({ block: "center", behavior: "instant" }));
    await this.page.locator(selector).click();
  }

  async fillIn({ flight, seats, name, email }) {
    await this.click(`#board input[value="${flight}"]`);
    await this.click(`#seats input[value="${seats}"]`);
    await this.page.locator("#name").fill(name);
    await this.page.locator("#email").fill(email);
  }

  /** The width and height of the window in CSS pixels, and what the person has set in the system. */
  async arrange({ width = 1280, height = 900, scheme = "light", motion = "no-preference", media = "" }) {
    await this.page.setViewport({ width, height });
    const features = [
      { name: "prefers-color-scheme", value: scheme },
      { name: "prefers-reduced-motion", value: motion },
    ];
    this.settings ??= await this.page.createCDPSession(); // what it has set ends with it
    await this.settings.send("Emulation.setEmulatedMedia", { media, features });
  }

  /** The default size of type, as a person sets it in the browser. */
  async setFontSize(pixels) {
    this.settings ??= await this.page.createCDPSession();
    await this.settings.send("Page.setFontSizes", { fontSizes: { standard: pixels, fixed: (pixels * 13) / 16 } });
    const size = await this.page.evaluate(() => getComputedStyle(document.documentElement).fontSize);
    assert.equal(size, `${pixels}px`);
  }

  /** The texts that reach out of the window, or of the card or the button that they are on, or are squeezed in it. */
  overflows() {
    return this.page.evaluate(() => {
      const SHEETS = ".button, .flight, .card, .seats label, .pass-main, .pass-stub, .choice, .confirmation, .notice";
      const found = [];
      const width = document.documentElement.clientWidth;
      const { scrollWidth } = document.documentElement;
      if (scrollWidth > width) found.push(`the page is ${scrollWidth} px wide in a window of ${width} px`);
      for (const button of document.querySelectorAll(".button")) {
        const lines = button.clientHeight / parseFloat(getComputedStyle(button).fontSize);
        if (button.checkVisibility() && lines > 6) found.push(`${button.textContent}, in a column of letters`);
      }
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const { parentElement: parent, data } = texts.currentNode;
        if (!data.trim() || !parent.checkVisibility({ visibilityProperty: true }) || parent.closest(".unseen")) continue;
        const range = document.createRange();
        range.selectNodeContents(texts.currentNode);
        const text = range.getBoundingClientRect();
        const sheet = parent.closest(SHEETS)?.getBoundingClientRect() ?? { left: 0, right: width };
        if (text.left < sheet.left - 1 || text.right > Math.min(sheet.right, width) + 1) found.push(data.trim());
      }
      return found;
    });
  }

  /** The sum of how far things have jumped, as the browser counts it: without the half second after each press of a key or a button. */
  layoutShift() {
    return this.page.evaluate(() => window.layoutShift);
  }

  /** Starts to note what moves or changes by degrees on the page. */
  watchMotion() {
    return this.page.evaluate(() => {
      window.motions = [];
      for (const event of ["animationstart", "transitionrun"]) {
        document.addEventListener(event, ({ target }) => window.motions.push(`${event} ${target.className || target.id}`));
      }
    });
  }

  motions() {
    return this.page.evaluate(() => window.motions);
  }

  /** Waits for the end of what fades or moves in, and does end. */
  settle() {
    return this.page.evaluate(() => {
      const ending = document.getAnimations().filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity);
      return Promise.allSettled(ending.map(({ finished }) => finished));
    });
  }

  /** Keeps a picture of the whole page where SCREENSHOTS says. The window is as high as the page meanwhile. */
  async picture(name, { whole = true } = {}) {
    if (!process.env.SCREENSHOTS) return;
    await mkdir(process.env.SCREENSHOTS, { recursive: true });
    await this.settle();
    const window = this.page.viewport();
    const height = await this.page.evaluate(() => document.documentElement.scrollHeight);
    if (whole) await this.page.setViewport({ ...window, height: Math.max(height, window.height) });
    // Beyond the window Chromium would draw with its own size of type.
    await this.page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`), captureBeyondViewport: false });
    await this.page.setViewport(window);
  }

  /** What stands in the form; `card` is null without one. */
  filledIn() {
    return this.page.$eval("#order", (form) => {
      const fields = new FormData(form);
      const [flight, name, email, card] = ["flight_id", "name", "email", "payment_method"].map((field) => fields.get(field));
      return { flight, seats: Number(fields.get("seats")), name, email, card };
    });
  }

  /** Chooses a card by its name. */
  async choose(card) {
    await this.click(`label.card ::-p-text(${card})`);
  }

  async press(button) {
    await this.page.locator(`::-p-aria([name="${button}"][role="button"])`).click();
  }

  async buy(order) {
    await this.fillIn(order);
    await this.page.locator("#buy").click();
  }

  /** All that is on the page for a reader, titles and labels included. */
  text() {
    return this.page.evaluate(() => `${document.title}\n${document.body.innerText}\n${document.body.textContent}`);
  }

  /** Waits until the page shows a text that fits. */
  sees(pattern) {
    return eventually(async () => assert.match(await this.page.evaluate(() => document.body.innerText), pattern));
  }

  isShown(selector) {
    return this.page.evaluate((one) => document.querySelector(one)?.checkVisibility() ?? false, selector);
  }

  /** The name of what has the focus, as a screen reader says it. */
  async focused() {
    const session = await this.page.createCDPSession();
    const { nodes } = await session.send("Accessibility.getFullAXTree");
    await session.detach();
    const focused = nodes.filter(({ properties = [] }) => properties.some(({ name, value }) => name === "focused" && value.value));
    return focused.at(-1)?.name?.value ?? "";
  }

  /** The id and the token in the address. */
  async address() {
    const [id, token] = new URL(this.page.url()).hash.slice(1).split("/");
    return { id, token };
  }

  /** Goes on with Tab until the thing of this name, or of a name that fits, has the focus. */
  async tabTo(name) {
    for (let presses = 0; presses < 40; presses += 1) {
      const focused = await this.focused();
      if (name instanceof RegExp ? name.test(focused) : focused === name) return;
      await this.page.keyboard.press("Tab");
    }
    assert.fail(`no Tab leads to ${name}`);
  }
}

/** The name of what has the focus, as a screen reader says it. */
export async function focused(page) {
  const { nodes } = await (await page.createCDPSession()).send("Accessibility.getFullAXTree");
  const focus = nodes.filter(({ properties = [] }) => properties.some(({ name, value }) => name === "focused" && value.value));
  return focus.at(-1)?.name?.value ?? "";
}

/** Waits until `check` no longer fails, and fails as it does if that takes too long. */
export async function eventually(check, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until no message is under way, so that nothing more can be charged. */
export const atRest = (server) =>
  eventually(async () => {
    const topics = Object.values(await server.read("/operator/topics"));
    for (const { waiting, in_flight: inFlight, delayed } of topics) assert.equal(waiting + inFlight + delayed, 0, "at rest");
  });

const items = (answer) => answer.items ?? answer;

/** What was captured and not refunded, and refunded, of each booking that was charged, by the provider's ledger. */
export async function charges(server) {
  await atRest(server);
  return items(await server.read("/operator/payments"));
}

/** Books seats as another customer, without a browser. */
export async function bookElsewhere(server, { flight, seats }) {
  const passenger = { name: "Bob Frost", email: "bob@example.com" };
  const body = JSON.stringify({ flight_id: flight, seats, passenger, payment_method: "pm_card_visa" });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(`${server.url}/bookings`, { method: "POST", headers, body });
  assert.equal(answer.status, 202);
  await atRest(server);
}

/** The mails that were sent, newest first. */
export async function mails(server) {
  await atRest(server);
  return items(await server.read("/operator/mail"));
}
