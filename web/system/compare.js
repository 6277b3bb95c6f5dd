// Both systems beside each other: a tile for each booking, and the figures that differ.

import { $, list, make, mark, say, show } from "./dom.js";
import { FATES, MOST_TILES, seconds, summary } from "./customers.js";
import { figure } from "./texts.js";

const SYSTEMS = { chain: "REST chain", topics: "Topics" };

for (const [fate, text] of Object.entries(FATES)) {
  $("legend").append(make("li", {}, make("span", { class: "tile", "data-fate": fate, "aria-hidden": "true" }), text));
}

/** Shows the customers; `chain` is whether this server has the chain. */
export function showComparison(customers, chain) {
  show($("chain"), chain);
  show($("no-chain"), !chain);
  for (const system of chain ? ["chain", "topics"] : ["topics"]) {
    const side = $(system);
    const figures = customers.figures(system);
    const tiles = side.querySelector(".tiles");
    list(tiles, customers.tiles(system), { key: ({ number }) => number, create: tile, update: showTile });
    mark(tiles, "aria-label", summary(SYSTEMS[system], figures));
    const texts = {
      away: of(figures.away, figures.asked),
      p99: seconds(figures.p99),
      charged: figure(figures.charged),
      open: figure(figures.open),
    };
    for (const [name, text] of Object.entries(texts)) {
      const value = side.querySelector(`[data-figure="${name}"]`);
      say(value, figures.asked ? text : "–");
      mark(value, "data-bad", (name === "away" || name === "charged") && figures[name] ? "" : null);
    }
  }
  say($("compare-note"), note(customers.count));
}

const of = (some, all) => `${figure(some)} of ${figure(all)}`;

function note(count) {
  if (!count) return "“Book one” sends a customer to both systems at once. One tile is one booking.";
  if (count <= MOST_TILES) return "Customers of this tab. One tile is one booking.";
  return `Customers of this tab. The figures count all ${figure(count)}; the latest ${MOST_TILES} have a tile.`;
}

const tile = () => make("span", { class: "tile" });

function showTile(child, { fate, why }) {
  mark(child, "data-fate", fate);
  mark(child, "title", why ? `${FATES[fate]}: ${why}` : FATES[fate]);
}
