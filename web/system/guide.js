// The guided outage on the page: its steps, its captions, what it waits for, and its score.

import { setMode, setService } from "./picture.js";
import { $, act, list, make, mark, say, show } from "./dom.js";
import { NOT_PLAYED, STEPS, caption, next, rate, waitsFor } from "./outage.js";
import { seconds } from "./customers.js";
import { figure } from "./texts.js";

let outage = NOT_PLAYED;
let facts = () => ({});
let working = Promise.resolve();

/** `knows()` answers the facts that the steps depend on. */
export function prepareGuide({ knows }) {
  facts = knows;
  $("play").addEventListener("click", () => {
    if (outage.playing) return;
    step("play");
    show($("outage"), true);
    $("outage-title").focus();
  });
  $("outage-end").addEventListener("click", () => {
    if (outage.playing) {
      step("end");
    } else {
      outage = NOT_PLAYED;
      show($("outage"), false);
    }
    $("play").focus();
  });
  $("outage-skip").addEventListener("click", () => {
    step("skip");
    $("outage-title").focus();
  });
  $("outage-copy").addEventListener("click", () =>
    act($("outage-copy"), $("outage-trouble"), async () => {
      try {
        await navigator.clipboard.writeText($("outage-command").textContent);
      } catch {
        throw new Error("The browser does not let this page copy. Select the command instead.");
      }
      say($("outage-copy"), "Copied");
    }),
  );
}

/** How many customers a second the outage sends at present. */
export const guideRate = () => rate(outage, Date.now());

/** Goes on with the outage if it is time. */
export const tickGuide = () => outage.playing && step("tick");

function step(event) {
  const { outage: after, actions } = next(outage, event, { ...facts(), now: Date.now() });
  outage = after;
  if (event === "play") say($("outage-trouble"), "");
  // One after another, also across steps: the last one counts.
  for (const action of actions) working = working.then(() => perform(action));
}

async function perform({ service, running, mode }) {
  try {
    await (service ? setService(service, running) : setMode(mode));
  } catch (error) {
    say($("outage-trouble"), error.message);
  }
}

/** Shows the outage. */
export function showGuide({ system }, customers) {
  mark($("play"), "aria-disabled", outage.playing ? "true" : null);
  if (!outage.playing && !outage.over) {
    show($("outage"), false);
    return;
  }
  show($("outage"), true);
  list($("outage-steps"), STEPS, { key: ({ id }) => id, create: ({ title }) => make("li", {}, title), update: showStep });
  say($("outage-caption"), outage.over ? "The outage is over." : caption(outage));
  const waiting = waitsFor(outage, Date.now());
  show($("outage-kill"), waiting === "restart");
  if (system?.process) say($("outage-command"), `kill -9 ${system.process.id}`);
  say($("outage-wait"), waiting === "settled" ? unfinished(customers.waiting()) : "");
  show($("outage-skip"), outage.playing && waiting !== null);
  say($("outage-end"), outage.playing ? "End the outage" : "Close");
  showScore(customers);
}

const unfinished = (count) => `${figure(count)} ${count === 1 ? "order is" : "orders are"} still being finished.`;

function showStep(item, { id }) {
  const index = STEPS.findIndex((one) => one.id === id);
  const done = outage.over || index < outage.index;
  mark(item, "data-done", done ? "" : null);
  mark(item, "aria-current", !outage.over && index === outage.index ? "step" : null);
}

function showScore(customers) {
  const score = $("outage-score");
  show(score, outage.over);
  if (!outage.over) return;
  const [chain, topics] = [customers.figures("chain"), customers.figures("topics")];
  const rows = [
    ["Customers", figure(chain.asked), figure(topics.asked)],
    ["With a ticket", figure(chain.ticket), figure(topics.ticket)],
    ["Turned away", figure(chain.away), figure(topics.away)],
    ["Charged, no ticket", figure(chain.charged), figure(topics.charged)],
    ["Still waiting", figure(chain.open), figure(topics.open)],
    ["Waited for an answer, p99", seconds(chain.p99), seconds(topics.p99)],
  ];
  const create = () => make("tr", {}, make("th", { scope: "row" }), make("td"), make("td"));
  const update = (child, cells) => cells.forEach((text, index) => say(child.children[index], text));
  list($("outage-score-rows"), rows, { key: ([what]) => what, create, update });
}
