// The server under test: the binary `bookings`, on a free port, with a data directory of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const BINARY = process.env.BOOKINGS ?? fileURLToPath(new URL("../../target/debug/bookings", import.meta.url));
const START_MS = 30_000;

/** Where the mails say that the page is. */
export const PUBLIC_URL = "https://tickets.example.com/";

/** `{ url, read, run, stop }`: `read` is `GET` of a path of the server itself, past the proxy; `run` a service's switch. */
export async function startServer() {
  const directory = await mkdtemp(join(tmpdir(), "bookings-browser-"));
  const options = ["--port", "0", "--data", join(directory, "data"), "--public-url", PUBLIC_URL];
  const child = spawn(BINARY, ["serve", ...options], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = new Promise((resolve) => child.once("exit", resolve).once("error", resolve));
  let log = "";
  child.stderr.on("data", (text) => (log += text));
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
    await rm(directory, { recursive: true });
  };
  try {
    const [line] = await Promise.race([
      once(createInterface(child.stdout), "line", { signal: AbortSignal.timeout(START_MS) }),
      exited.then(() => Promise.reject(new Error("it ended"))),
    ]);
    const url = line.match(/^listening on (\S+)$/)[1];
    const read = async (path) => (await fetch(url + path)).json();
    const run = async (service, running) => {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(`${url}/operator/services/${service}`, { method: "PUT", headers, body: JSON.stringify({ running }) });
      if (!answer.ok) throw new Error(`${service}: ${answer.status} ${await answer.text()}`);
    };
    return { url, read, run, stop };
  } catch (error) {
    await stop();
    throw new Error(`${BINARY} did not start\n${log}`, { cause: error });
  }
}
