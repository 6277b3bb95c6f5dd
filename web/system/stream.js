// The stream of events: open while the page is shown, opened again when it ends.
//
// A browser keeps six connections to a host. A hidden tab closes its stream, so that many tabs do not take them all.

import { silence as silenceOf } from "./state.js";

const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 2_000;
const NAMES = ["message", "order", "service", "provider", "gauges"];

/**
 * Follows the stream. `onEvent(name, body)` for each event, `onOpen()` for each connection, after which everything that was
 * read before is to be read again; `onLost()` when a connection ends or is silent; `onPaused()` when the page is hidden.
 */
export function follow({ onEvent, onOpen, onLost, onPaused }) {
  let source = null;
  let retry = FIRST_RETRY_MS;
  let timer = 0;
  let silence = 0;
  let system = null; // until the first gauges: they may take a while

  function open() {
    close();
    if (document.hidden) return;
    source = new EventSource("operator/events");
    for (const name of NAMES) source.addEventListener(name, ({ data }) => heard(name, data));
    source.addEventListener("reset", () => onOpen());
    source.addEventListener("open", () => {
      retry = FIRST_RETRY_MS;
      onOpen();
    });
    source.addEventListener("error", lost);
    listen();
  }

  function heard(name, data) {
    const body = JSON.parse(data);
    if (name === "gauges") system = body;
    listen();
    onEvent(name, body);
  }

  // A server that hangs keeps its connections.
  function listen() {
    clearTimeout(silence);
    silence = setTimeout(lost, silenceOf(system));
  }

  function lost() {
    close();
    onLost();
    timer = setTimeout(open, retry);
    retry = Math.min(retry * 1.5, LONGEST_RETRY_MS);
  }

  function close() {
    clearTimeout(timer);
    clearTimeout(silence);
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) open();
    else if (source || timer) {
      close();
      onPaused();
    }
  });
  // A page that is kept for "back" must not keep its connection.
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", ({ persisted }) => persisted && open());
  open();
}
