// What axe finds wrong for people who do not see the page, do not use a mouse, or need more contrast.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const SOURCE = await readFile(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/**
 * Fails with the list of violations, unless axe finds none on `page` (of puppeteer) as it is now. Elements that are
 * still fading in are waited for: their colours are not the ones that stay.
 */
export async function expectAccessible(page) {
  await page.evaluate(() => {
    const ending = document.getAnimations().filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity);
    return Promise.allSettled(ending.map(({ finished }) => finished));
  });
  await page.evaluate(SOURCE);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  assert.ok(passes.length > 0, "axe has looked at the page");
  const found = violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${help}\n  at ${target}\n  ${failureSummary}`));
  assert.equal(found.join("\n"), "", "what axe finds");
}
