// The pipes of the picture, laid between its parts where they stand, and the messages in them.
// Waiting messages are dots at the end of their pipe, at most 40, and a bar above that. A message that is sent runs along
// its pipe. Where less motion is asked for, or there is no room for a drawing, the numbers beside the pipes say it all.

import { $, draw, mark, say } from "./dom.js";
import { TOPICS, drawn } from "./state.js";
import { lay } from "./lay.js";

const picture = $("picture");
const svg = $("pipes");
const still = matchMedia("(prefers-reduced-motion: reduce)");

const DOT = 4.5;
const FLOOR = 16; // the answers' pipe, above the lower edge
const RUN_MS = 800;
const MOST_RUNNING = 60;

const running = [];
let state = null;
let ticking = false;

const link = { customers: draw("path", { class: "wire" }), provider: draw("path", { class: "wire" }), halo: draw("path", { class: "halo" }) };
const pipes = new Map(
  TOPICS.map((topic) => {
    const pipe = {
      walls: draw("path", { class: "pipe" }),
      bar: draw("path", { class: "bar-of", hidden: "" }),
      dots: draw("g", { class: "dots" }),
      number: draw("text", { class: "number", "text-anchor": "middle", "dominant-baseline": "central" }),
      arrow: draw("path", { class: "arrow" }),
    };
    return [topic, pipe];
  }),
);
for (const { walls } of pipes.values()) svg.append(walls);
svg.append(link.customers, link.halo, link.provider);
for (const { bar, arrow, dots, number } of pipes.values()) svg.append(arrow, bar, dots, number);
const traffic = draw("g", { class: "traffic" });
svg.append(traffic);

/** Whether the drawing is shown; on a narrow page cards take its place. */
const isDrawn = () => svg.clientWidth > 0;

new ResizeObserver(place).observe(picture);

function place() {
  if (!isDrawn()) return;
  const origin = picture.getBoundingClientRect();
  const box = (name) => {
    const { left, right, top, bottom } = picture.querySelector(`[data-node="${name}"]`).getBoundingClientRect();
    return { left: left - origin.left, right: right - origin.left, top: top - origin.top, bottom: bottom - origin.top };
  };
  mark(svg, "viewBox", `0 0 ${origin.width} ${origin.height}`);
  const names = [...picture.querySelectorAll("[data-node]")].map(({ dataset: { node } }) => node);
  const laid = lay(Object.fromEntries(names.map((name) => [name, box(name)])), origin.height - FLOOR);
  mark(link.customers, "d", laid.customers);
  mark(link.provider, "d", laid.provider);
  mark(link.halo, "d", laid.provider);
  for (const topic of TOPICS) {
    const { walls, bar, arrow } = pipes.get(topic);
    mark(walls, "d", laid.walls[topic]);
    mark(bar, "d", laid.queues[topic]);
    mark(arrow, "d", laid.arrows[topic]);
    pipes.get(topic).course = laid.courses[topic].map((d) => measured(d));
    pipes.get(topic).queue = measured(laid.queues[topic]);
  }
  if (state) showPipes(state);
}

/** A line of which points can be asked. */
function measured(d) {
  const path = draw("path", { d });
  const length = path.getTotalLength();
  return { length, at: (distance) => path.getPointAtLength(Math.max(0, Math.min(length, distance))) };
}

/** Shows how many messages wait in each pipe. */
export function showPipes(shown) {
  state = shown;
  if (!state.system || !isDrawn()) return;
  for (const topic of TOPICS) {
    const { dots: group, bar, number, queue, walls } = pipes.get(topic);
    if (!queue) continue;
    const { dots, later, bar: crowd } = drawn(state.system.topics[topic]);
    const apart = spacing(queue, dots + later);
    const places = Array.from({ length: still.matches ? 0 : dots + later }, (_, index) => queue.at(queue.length - DOT - 2 - index * apart));
    while (group.children.length > places.length) group.lastElementChild.remove();
    places.forEach(({ x, y }, index) => {
      const dot = group.children[index] ?? group.appendChild(draw("circle", { r: DOT }));
      mark(dot, "cx", x.toFixed(1));
      mark(dot, "cy", y.toFixed(1));
      mark(dot, "class", index < dots ? "dot" : "dot later");
    });
    mark(bar, "hidden", crowd && !still.matches ? null : "");
    mark(walls, "data-crowd", crowd ? "" : null);
    const middle = queue.at(queue.length / 2);
    mark(number, "x", middle.x.toFixed(1));
    mark(number, "y", middle.y.toFixed(1));
    say(number, crowd && !still.matches ? crowd.toLocaleString("en-GB") : "");
  }
}

/** The space between two waiting messages: they move together rather than out of their pipe. */
const spacing = ({ length }, count) => Math.min(2 * DOT + 1.5, (length - 2 * DOT) / Math.max(1, count));

/** A message was sent: it runs along its pipe to the end of those that wait. */
export function run({ topic, kind }) {
  const pipe = pipes.get(topic);
  if (!pipe?.course || still.matches || !isDrawn() || running.length >= MOST_RUNNING) return;
  // Updates of payments come from billing, all others from tickets.
  const course = pipe.course[kind?.includes("payment") ? pipe.course.length - 1 : 0];
  const waiting = pipe.dots.children.length;
  const dot = traffic.appendChild(draw("circle", { class: "moving", r: DOT }));
  running.push({ dot, course, end: course.length - DOT - waiting * spacing(pipe.queue, waiting), began: performance.now() });
  if (!ticking) requestAnimationFrame(tick);
  ticking = true;
}

function tick(now) {
  for (const one of [...running]) {
    const part = Math.min(1, (now - one.began) / RUN_MS);
    const { x, y } = one.course.at(one.end * part);
    one.dot.setAttribute("cx", x.toFixed(1));
    one.dot.setAttribute("cy", y.toFixed(1));
    if (part < 1) continue;
    one.dot.remove();
    running.splice(running.indexOf(one), 1);
  }
  ticking = running.length > 0;
  if (ticking) requestAnimationFrame(tick);
}

still.addEventListener("change", () => state && showPipes(state));
