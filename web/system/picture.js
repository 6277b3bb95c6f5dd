// The picture: the parts with their switches, the topics in words, and the same as a table.

import { PATIENCE_MS, call } from "./api.js";
import { $, act, list, make, mark, row, say, show } from "./dom.js";
import { CONSUMER, TOPICS, can, hasSwitch, isBroken, isRunning, under } from "./state.js";
import { MEANINGS, MODES, STRIPE, duty, figure, known, serviceName, switchText, topicLine, whole } from "./texts.js";

const picture = $("picture");
const nodes = new Map([...picture.querySelectorAll("[data-node]")].map((node) => [node.dataset.node, node]));
const lanes = new Map([...picture.querySelectorAll("[data-topic]")].map((lane) => [lane.dataset.topic, lane]));
const mode = $("mode");
let state;

for (const [value, text] of Object.entries(MODES)) mode.append(make("option", { value }, text));

for (const name of Object.values(CONSUMER)) {
  const button = nodes.get(name).querySelector(".switch");
  button.addEventListener("click", () =>
    act(button, $("picture-trouble"), () => setService(name, button.getAttribute("aria-checked") !== "true")),
  );
}

mode.addEventListener("change", () =>
  act(mode, $("picture-trouble"), async () => {
    try {
      await setMode(mode.value);
    } catch (error) {
      mode.value = state?.system.payment_provider.mode ?? "up";
      throw error;
    }
  }),
);

export const setService = (name, running) => call("PUT", `operator/services/${name}`, { running }, { timeout: PATIENCE_MS });
export const setMode = (value) => call("PUT", "operator/payment-provider", { mode: value });

/** Shows a state. */
export function showPicture(shown, now) {
  state = shown;
  if (!state.system) return;
  for (const topic of TOPICS) showLane(topic, now);
  say(nodes.get("customers").querySelector(".duty"), duty(state.system, "customers"));
  showProvider(state.system.payment_provider);
  list($("topics-rows"), TOPICS, { key: (topic) => topic, create: tableRow, update: (child, topic) => updateRow(child, topic, now) });
}

function showLane(topic, now) {
  const name = CONSUMER[topic];
  const running = isRunning(state.system, name);
  const gauge = state.system.topics[topic];
  const line = topicLine(gauge, running, can(state.system, "exact_counts"));
  const lane = lanes.get(topic);
  const label = lane.querySelector(".topic");
  say(label.querySelector(".waiting"), line.waiting);
  say(label.querySelector(".notes"), line.notes);
  say(label.querySelector(".dead"), line.dead);
  mark(lane, "data-urgent", line.urgent ? "" : null);
  // How full the topic is, where there is no drawing.
  mark(lane, "data-full", Math.min(10, Math.ceil(under(gauge) / 5)));

  const node = nodes.get(name);
  mark(node, "data-stopped", running ? null : "");
  mark(node.querySelector(".switch"), "aria-checked", running);
  show(node.querySelector(".switch-row"), hasSwitch(state.system, name));
  say(node.querySelector(".state"), switchText(state, name, now));
  say(node.querySelector(".duty"), duty(state.system, name));
}

function showProvider({ name, mode: value }) {
  const simulated = value !== null;
  mark(nodes.get("provider"), "data-stopped", isBroken(state.system) ? "" : null);
  show($("mode-row"), simulated);
  say($("mode-says"), simulated ? MEANINGS[value] ?? "" : name === "stripe" ? STRIPE : `${name} answers.`);
  if (simulated && mode.value !== value && !mode.hasAttribute("aria-disabled")) mode.value = value;
}

const COLUMNS = ["Topic", "Consumer", "State", "Waiting", "In work", "To be tried again", "Dead", "Oldest", "Sent", "Finished"];

function tableRow() {
  const made = row(COLUMNS.slice(1));
  made.prepend(make("th", { scope: "row" }));
  return made;
}

function updateRow(child, topic, now) {
  const name = CONSUMER[topic];
  const gauge = state.system.topics[topic];
  const { waiting, in_flight: working, delayed, dead_lettered: dead, oldest_age_seconds: oldest, sent, finished } = gauge;
  const numbers = [waiting, working, delayed, dead].map(figure);
  const age = !under(gauge) ? "–" : oldest === null ? known(oldest) : whole(oldest);
  const cells = [topic, serviceName(name), switchText(state, name, now), ...numbers, age, known(sent), known(finished)];
  cells.forEach((text, index) => say(child.children[index], text));
}
