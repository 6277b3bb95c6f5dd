// Who may use the operator's API and the system page: this machine, and no page of another site.

import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";

import { startServer } from "./server.mjs";

const PATHS = [
  ["GET", "/system"],
  ["GET", "/system/main.js"],
  ["GET", "/operator/system"],
  ["GET", "/operator/events"],
  ["GET", "/operator/topics"],
  ["GET", "/operator/orders"],
  ["GET", "/operator/audit"],
  ["GET", "/operator/mail"],
  ["GET", "/operator/payments"],
  ["GET", "/operator/dead-letters"],
  ["GET", "/operator/payment-provider"],
  ["PUT", "/operator/payment-provider"],
  ["PUT", "/operator/services/billing-service"],
  ["POST", "/operator/dead-letters/redrive"],
  ["POST", "/operator/poison"],
  ["POST", "/rest-chain/bookings"],
  ["GET", "/rest-chain/payments"],
];

/** The status of an answer; `fetch` sets no `Host`. */
const ask = (server, method, path, headers) =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const asked = request({ hostname, port, method, path, headers: { "Content-Type": "application/json", ...headers } }, (answer) => {
      answer.destroy();
      resolve(answer.statusCode);
    });
    asked.on("error", reject);
    asked.end(method === "GET" ? undefined : "{}");
  });

test("a foreign Host or Origin is answered 403 on every path of the operator", async (context) => {
  const server = await startServer();
  context.after(server.stop);
  const port = new URL(server.url).port;
  for (const [method, path] of PATHS) {
    assert.equal(await ask(server, method, path, { Host: `rebound.example:${port}` }), 403, `${method} ${path}, Host`);
    assert.equal(await ask(server, method, path, { Origin: "https://evil.example" }), 403, `${method} ${path}, Origin`);
    assert.notEqual(await ask(server, method, path, {}), 403, `${method} ${path}, this machine`);
  }
});
