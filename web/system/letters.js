// The dead letters: why each was given up, and what an operator can do about it.

import { PATIENCE_MS, call, get } from "./api.js";
import { $, act, calmly, list, make, mark, row, say, show } from "./dom.js";
import { TOPICS } from "./state.js";
import { figure, messageName, short, tried } from "./texts.js";

const KINDS = { unreadable: "unreadable", "newer-version": "of a newer version", crashing: "crashing its consumer" };
const COLUMNS = ["Topic", "Message", "Order", "Why it was given up", "Tried", "What to do", ""];
const SHOWN = 50;

let letters = [];
let discarding = null;
let opener = null;

for (const topic of TOPICS) $("poison-topic").append(make("option", { value: topic }, topic));
$("poison-topic").value = "billing";
for (const [kind, text] of Object.entries(KINDS)) $("poison-kind").append(make("option", { value: kind }, text));

/** Reads the dead letters again. */
export const refreshLetters = calmly(load, () => 300);

async function load() {
  try {
    letters = await get("operator/dead-letters");
    say($("letters-trouble"), "");
  } catch (error) {
    say($("letters-trouble"), error.message);
  }
  showLetters();
}

/** Reads them again if the topics count others than are shown. */
export function compareLetters({ topics }) {
  const counted = TOPICS.reduce((sum, topic) => sum + topics[topic].dead_lettered, 0);
  if (counted !== letters.length) refreshLetters();
}

function showLetters() {
  show($("letters"), letters.length > 0);
  show($("letters-empty"), !letters.length);
  show($("letters-count"), letters.length > 0);
  say($("letters-count"), figure(letters.length));
  show($("redrive-all"), letters.length > 1);
  list($("letters-rows"), letters.slice(0, SHOWN), { key: ({ id }) => id, create, update, fallback: $("letters-title") });
}

function create(letter) {
  const made = row(COLUMNS);
  const [, , order, why, , , actions] = made.children;
  if (letter.order_id) order.append(make("a", { href: `#${letter.order_id}`, title: letter.order_id }, short(letter.order_id)));
  else order.append("–");
  const reason = make("div", {}, make("span", { class: "failure" }));
  if (letter.text) reason.append(make("code", { class: "text" }, letter.text));
  why.append(reason);
  const about = `${messageName(letter.type)} in ${letter.topic}, number ${letter.id}`;
  const redrive = make("button", { class: "button small quiet", type: "button", "aria-label": `Redrive ${about}` }, "Redrive");
  const discard = make("button", { class: "button small quiet", type: "button", "aria-label": `Discard ${about}` }, "Discard…");
  redrive.addEventListener("click", () => change(redrive, `operator/dead-letters/${letter.id}/redrive`));
  discard.addEventListener("click", () => ask(letter, discard));
  actions.append(redrive, " ", discard);
  return made;
}

function update(child, letter) {
  const [topic, message, , why, times, advice] = child.children;
  say(topic, letter.topic);
  say(message, messageName(letter.type));
  say(why.querySelector(".failure"), letter.failure);
  if (times.dataset.times !== tried(letter)) {
    times.dataset.times = tried(letter);
    times.replaceChildren(tried(letter), ...(letter.redrives ? [" ", make("span", { class: "badge" }, "again")] : []));
  }
  say(advice, letter.advice ?? "");
}

const change = (button, path) =>
  act(button, $("letters-trouble"), async () => {
    await call("POST", path, {}, { timeout: PATIENCE_MS });
    await refreshLetters();
  });

$("redrive-all").addEventListener("click", () => change($("redrive-all"), "operator/dead-letters/redrive"));

function ask(letter, button) {
  discarding = letter;
  opener = button;
  say($("discard-text"), `${messageName(letter.type)} in ${letter.topic}: ${letter.failure}. It is removed for good. Its order, if it has one, does not move on by it.`);
  $("discard-reason").value = "";
  refuse("");
  $("discard").showModal();
  $("discard-reason").focus();
}

function refuse(why) {
  say($("discard-trouble"), why);
  show($("discard-trouble"), Boolean(why));
  mark($("discard-reason"), "aria-invalid", why ? "true" : null);
}

$("discard-keep").addEventListener("click", () => $("discard").close());
$("discard").addEventListener("close", () => (opener?.isConnected ? opener : $("letters-title")).focus());
$("discard-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const reason = $("discard-reason").value.trim();
  if (!reason) {
    refuse("Give a reason: it is kept.");
    $("discard-reason").focus();
    return;
  }
  try {
    await call("POST", `operator/dead-letters/${discarding.id}/discard`, { reason });
    await load();
    $("discard").close();
  } catch (error) {
    refuse(error.message);
  }
});

$("poison").addEventListener("submit", (event) => {
  event.preventDefault();
  const [topic, kind] = [$("poison-topic").value, $("poison-kind").value];
  act(event.submitter, $("poison-trouble"), async () => {
    await call("POST", "operator/poison", { topic, kind });
    await refreshLetters();
  });
});
