// The system page as an operator sees it. States are brought about by the server; no test calls the page's code.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { eventually, focused, openPage } from "./harness.mjs";

const AXE = await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const SCREENSHOTS = process.env.SCREENSHOTS ?? fileURLToPath(new URL("../../target/screenshots", import.meta.url));

/** A shared machine may be slower than a promise was made for. */
const SLACK = Number(process.env.SLACK ?? 3);

/** Waits until `check` no longer fails, for the seconds that are promised. */
export const within = (seconds, check) => eventually(check, seconds * 1_000 * SLACK);

export const ORDER = {
  flight_id: "OS-101",
  seats: 1,
  passenger: { name: "Ada Byron", email: "ada@example.com" },
  payment_method: "pm_card_visa",
};

/** A booking as curl makes it. Answers the booking. */
export async function book(server) {
  const { status, content } = await server.send("POST", "/bookings", ORDER);
  assert.equal(status, 202);
  return content;
}

export const setMode = (server, mode) => server.send("PUT", "/operator/payment-provider", { mode });

/** Opens the system page; `font` is the reader's default font size in pixels. */
export async function openSystem(test, server, { width = 1280, height = 900, scheme = "light", still = false, font, platform = "standalone" } = {}) {
  const page = await openPage(test, { width, height, font });
  const system = new SystemPage(page);
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: scheme },
    { name: "prefers-reduced-motion", value: still ? "reduce" : "no-preference" },
  ]);
  await page.goto(`${server.url}/system`);
  await system.isLive(platform);
  return system;
}

export class SystemPage {
  constructor(page) {
    this.page = page;
    /** What the browser has complained about. An answer that the page asked for and shows is no complaint. */
    this.complaints = [];
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("console", (message) => {
      const refused = /Failed to load resource: the server responded with a status of (402|404|409|503|504)/.test(message.text());
      const away = /net::ERR_(CONNECTION_|EMPTY_RESPONSE|INCOMPLETE_CHUNKED|ABORTED)/.test(message.text());
      if (["error", "warn"].includes(message.type()) && !refused && !away) this.complaints.push(message.text());
    });
  }

  /** The visible text of the first thing that fits a selector. */
  text(selector) {
    return this.page.evaluate((one) => document.querySelector(one)?.innerText.replace(/\s+/g, " ").trim() ?? "", selector);
  }

  /** The visible texts of all things that fit. */
  texts(selector) {
    return this.page.evaluate(
      (all) => [...document.querySelectorAll(all)].map((one) => one.innerText.replace(/\s+/g, " ").trim()),
      selector,
    );
  }

  /** Waits until a text fits. */
  sees(selector, pattern, seconds = 5) {
    return within(seconds, async () => assert.match(await this.text(selector), pattern));
  }

  isLive = (platform = "standalone") => this.sees("#link-text", new RegExp(`^Live · ${platform} \\d`));

  /** The name of a figure of `chain` or `topics`. */
  figure = (system, name) => this.text(`#${system} [data-figure="${name}"]`);

  isOn = (service) => this.page.$eval(`[data-node="${service}"] .switch`, (one) => one.getAttribute("aria-checked") === "true");

  /** Follows the link to the first order's journey. What stands above may grow while the mouse is on its way. */
  async chooseFirst() {
    await within(5, async () => {
      await this.page.locator("#orders-rows a").click();
      assert.match(await this.text("#journey-state"), /./);
    });
  }

  press(name) {
    return this.page.locator(`::-p-aria([name="${name}"][role="button"])`).click();
  }

  focused() {
    return focused(this.page);
  }

  /** Goes on with Tab until what has the focus fits. */
  async tabTo(pattern, most = 80) {
    for (let presses = 0; presses < most; presses += 1) {
      if (pattern.test(await this.focused())) return;
      await this.page.keyboard.press("Tab");
    }
    assert.fail(`no Tab leads to ${pattern}`);
  }

  /** Fails on what axe finds against WCAG 2.2 AA and its good practices. */
  async assertAccessible() {
    // By the protocol, and not as a script of the page: its policy lets none in.
    const session = await this.page.createCDPSession();
    const evaluate = async (expression) => {
      const { result, exceptionDetails: thrown } = await session.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
      assert.equal(thrown, undefined, JSON.stringify(thrown));
      return result.value;
    };
    await evaluate(`${AXE}; undefined`);
    const run = "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })";
    const found = await evaluate(`${run}.then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html, failureSummary }) => html.slice(0, 160) + ' ' + failureSummary).join('; ')))`);
    await session.detach();
    assert.deepEqual(found, []);
  }

  /** How many pixels the page is wider than its window. */
  overflow = () => this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

  async screenshot(name) {
    await mkdir(SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });
  }
}
