// The mails as pages, as a mail program shows them: those that the Email Service's tests hold to the letter.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { expectAccessible } from "./axe.mjs";
import { newCustomer } from "./harness.mjs";

const FOLDER = fileURLToPath(new URL("../../functions/email-service/tests/golden/", import.meta.url));
const MAILS = (await readdir(FOLDER)).filter((name) => name.endsWith(".html"));

test("there are mails to look at", () => assert.ok(MAILS.includes("confirmed.html"), `${MAILS}`));

for (const mail of MAILS) {
  test(`the mail ${mail} fits its window, light and dark, loads nothing, and axe finds nothing`, async (context) => {
    const reader = await newCustomer(context, "");
    const loaded = [];
    reader.page.on("request", (request) => loaded.push(request.url()));
    await reader.page.setContent(await readFile(FOLDER + mail, "utf8"));
    for (const scheme of ["light", "dark"]) {
      for (const width of [390, 700]) {
        await reader.arrange({ width, height: 700, scheme });
        assert.deepEqual(await reader.overflows(), [], `${width} px`);
        await expectAccessible(reader.page);
        await reader.picture(`mail-${mail.replace(".html", "")}-${width}-${scheme}`);
      }
    }
    assert.deepEqual(loaded, []);
  });
}
