// The server under test: the binary `bookings`, on a free port, with a data directory of its own, or another program that
// serves the system page.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const BINARY = process.env.BOOKINGS ?? fileURLToPath(new URL("../../target/debug/bookings", import.meta.url));
const START_MS = 30_000;

/** Where the mails say that the page is. */
export const PUBLIC_URL = "https://tickets.example.com/";

/**
 * `{ url, read, run, send, end, stop }`: `read` is `GET` of a path of the server itself, past the proxy; `send` a change of it;
 * `run` a service's switch; `end` ends the process by a signal and keeps its data, for a next one with the same `directory`;
 * `stop` removes them. `more` are further options of `serve`. It sells `flights`, as a flights file describes them, or those
 * of a new server.
 */
export async function startServer({ directory, port = 0, more = [], env = {}, flights } = {}) {
  directory ??= await mkdtemp(join(tmpdir(), "bookings-browser-"));
  const options = ["--port", String(port), "--data", join(directory, "data"), "--public-url", PUBLIC_URL, ...more];
  if (flights) {
    const file = join(directory, "flights.json");
    await writeFile(file, JSON.stringify(flights));
    options.push("--flights", file);
  }
  const remove = () => rm(directory, { recursive: true, force: true });
  const server = await startProgram(BINARY, ["serve", ...options], env).catch(async (error) => {
    await remove();
    throw error;
  });
  const stop = async () => {
    await server.end("SIGTERM");
    await remove();
  };
  const run = (service, running) => server.send("PUT", `/operator/services/${service}`, { running });
  return { ...server, directory, run, stop };
}

/** Starts a program that says where it listens: `{ url, read, send, end }` of it, as of `startServer`. */
export async function startProgram(binary, options, env = {}) {
  const child = spawn(binary, options, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  const exited = new Promise((resolve) => child.once("exit", resolve).once("error", resolve));
  let log = "";
  child.stderr.on("data", (text) => (log += text));
  const end = async (signal) => {
    child.kill(signal);
    await exited;
  };
  try {
    const [line] = await Promise.race([
      once(createInterface(child.stdout), "line", { signal: AbortSignal.timeout(START_MS) }),
      exited.then(() => Promise.reject(new Error("it ended"))),
    ]);
    const url = line.match(/^listening on (http:\/\/[^/\s]+)\S*$/)[1];
    const read = async (path) => (await fetch(url + path)).json();
    const send = async (method, path, body) => {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      return { status: answer.status, content: await answer.json() };
    };
    return { url, read, send, end };
  } catch (error) {
    await end("SIGTERM");
    throw new Error(`${binary} did not start\n${log}`, { cause: error });
  }
}
