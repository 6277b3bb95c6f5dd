// The same customers in both systems: what each was answered, and what became of it. Pure: no DOM.
//
// A customer of the chain spins until all is done, then has a ticket or was turned away. One who was turned away may have
// been charged: that the answer does not say, the chain's ledger does. A customer of the topics is answered at once, and
// the order is finished later.

/** At most this many tiles are kept for each system; figures count all customers. */
export const MOST_TILES = 160;

const MOST_LATEST = 1_000;

/** What a tile says, in the order of the legend. */
export const FATES = {
  ticket: "ticket in hand",
  spinning: "spinner turns",
  waiting: "accepted, waiting",
  away: "turned away",
  charged: "charged, no ticket",
};

const OVER = ["rejected", "payment_declined", "cancelled"];

/** The customers of one sitting. */
export class Customers {
  #all = new Map();
  #byOrder = new Map();
  /** The latest of all orders: an order may be finished before its customer has the answer. */
  #latest = new Map();
  #next = 1;

  /** A customer asks both systems; answers the customer's number. */
  ask({ chain = true } = {}) {
    const number = this.#next;
    this.#next += 1;
    this.#all.set(number, {
      number,
      chain: chain ? { fate: "spinning", why: "", took: null, order: null } : null,
      topics: { fate: "spinning", why: "", took: null, order: null, kept: false, updated: "" },
    });
    return number;
  }

  /** The chain answered after `took` milliseconds; `status` is 0 if the connection ended. */
  chainAnswered(number, { status, took, order = null, why = "" }) {
    const { chain } = this.#all.get(number);
    Object.assign(chain, { took, order, why, status, fate: status === 200 ? "ticket" : "away" });
  }

  /** The gateway answered after `took` milliseconds, with the order if it took it. */
  topicsAnswered(number, { status, took, order = null, why = "" }) {
    const { topics } = this.#all.get(number);
    Object.assign(topics, { took, order, why, fate: status === 202 ? "waiting" : "away" });
    if (!order) return;
    this.#byOrder.set(order, number);
    const known = this.#latest.get(order);
    if (known) this.orderChanged(known);
  }

  /**
   * What became of an order; orders of others are passed over. Answers whether it is one of these customers'. An answer that
   * was overtaken by an event says less than is known.
   */
  orderChanged(order) {
    const { id, status, settled, updated_at: updated = "" } = order;
    const number = this.#byOrder.get(id);
    if (number === undefined) {
      this.#latest.set(id, order);
      if (this.#latest.size > MOST_LATEST) this.#latest.delete(this.#latest.keys().next().value);
      return false;
    }
    const { topics } = this.#all.get(number);
    if (updated < topics.updated) return true;
    topics.updated = updated;
    if (status === "confirmed") topics.fate = "ticket";
    else if (settled && OVER.includes(status)) topics.fate = topics.kept ? "charged" : "away";
    else topics.fate = "waiting";
    topics.why = status;
    return true;
  }

  /**
   * The chain's ledger: its payments since these customers began; `asking` customers are being served. Money that was kept
   * for a booking of which no customer has a ticket was taken from one who was turned away. Who that was the ledger does
   * not say, since they were told no id: those without a reply are marked first.
   */
  chainLedger(payments, asking = 0) {
    const all = this.#map(({ chain }) => chain).filter(Boolean);
    const tickets = new Set(all.map(({ order }) => order).filter(Boolean));
    const kept = payments.filter(({ booking_id: id, captured, refunded }) => captured > refunded && !tickets.has(id));
    // Each customer who is being served may yet get a ticket for one of these.
    const charged = Math.max(0, kept.length - asking);
    const failed = all.filter(({ fate }) => fate === "away" || fate === "charged");
    const before = failed.filter(({ fate }) => fate === "charged").length;
    const likely = [...failed].sort((one, other) => suspicion(other) - suspicion(one)).slice(0, Math.max(charged, before));
    for (const chain of failed) chain.fate = likely.includes(chain) ? "charged" : "away";
  }

  /** The topics' ledger: orders that ended without a ticket and whose money was kept. */
  topicsLedger(payments) {
    const kept = new Set(payments.filter(({ captured, refunded }) => captured > refunded).map(({ booking_id: id }) => id));
    for (const { topics } of this.#all.values()) {
      if (topics.fate !== "away" && topics.fate !== "charged") continue;
      topics.kept = kept.has(topics.order);
      topics.fate = topics.kept ? "charged" : "away";
    }
  }

  /** Whether some customer of the topics ended without a ticket, so that the ledger has to be asked. */
  doubtful = () => this.#map(({ topics }) => topics).some(({ fate, order }) => order && (fate === "away" || fate === "charged"));

  /** How many customers of the chain have no answer yet. */
  spinning = () => this.#map(({ chain }) => chain).filter((chain) => chain?.fate === "spinning").length;

  /** The orders of these customers that are not settled. */
  waiting = () => this.#map(({ topics }) => topics).filter(({ fate }) => fate === "waiting").length;

  /** The orders that wait, to be asked for after a time without events. */
  waitingOrders = () => this.#map(({ topics }) => topics).filter(({ fate }) => fate === "waiting").map(({ order }) => order);

  get count() {
    return this.#all.size;
  }

  /** `{ asked, ticket, away, charged, open, p99 }` of one system, `chain` or `topics`; `p99` in milliseconds. */
  figures(system) {
    const these = this.#map((customer) => customer[system]).filter(Boolean);
    const having = (...fates) => these.filter(({ fate }) => fates.includes(fate)).length;
    const took = these.map((one) => one.took).filter((one) => one !== null);
    return {
      asked: these.length,
      ticket: having("ticket"),
      away: having("away"),
      charged: having("charged"),
      open: having("spinning", "waiting"),
      p99: percentile(took, 0.99),
    };
  }

  /** The latest tiles of one system, oldest first: `{ number, fate, why }`. */
  tiles(system) {
    const latest = [...this.#all.values()].slice(-MOST_TILES).filter((customer) => customer[system]);
    return latest.map((customer) => ({ number: customer.number, fate: customer[system].fate, why: customer[system].why }));
  }

  #map(change) {
    return [...this.#all.values()].map(change);
  }
}

/** How likely it is that a customer who was turned away was charged: a lost reply says most, a refusal least. */
function suspicion({ status }) {
  if (status === 504 || status === 0) return 2;
  return status === 503 ? 1 : 0;
}

/** The nearest rank: the smallest value that `share` of all values do not exceed; `null` without values. */
export function percentile(values, share) {
  if (!values.length) return null;
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

/** Milliseconds as the page writes them in seconds: `0.02 s`. */
export const seconds = (milliseconds) => (milliseconds === null ? "–" : `${(milliseconds / 1000).toFixed(2)} s`);

/** All tiles in a sentence, for those who do not see them. */
export function summary(name, { asked, ticket, away, charged, open }) {
  if (!asked) return `${name}: no customers yet.`;
  const parts = [`${ticket} with a ticket`, `${away} turned away`, `${charged} charged without a ticket`, `${open} still waiting`];
  return `${name}: ${asked} ${asked === 1 ? "customer" : "customers"}, ${parts.join(", ")}.`;
}
