// A system as the operator's API shows it, for the tests of the system page.

const RUNNING = { running: true };

/** A platform that is not on one machine: what it counts is approximate, and reading all of it is paid for. */
export const AWS = { platform: "aws", capabilities: [], orders: null, rest_chain: false, payment_provider: { name: "simulated", mode: null } };

/** A topic of it. */
export const awsTopic = (counts) => topic({ oldest_age_seconds: null, sent: null, finished: null, ...counts });

export const topic = (counts) => ({
  waiting: 0, in_flight: 0, delayed: 0, dead_lettered: 0, oldest_age_seconds: 0, sent: 0, finished: 0, ...counts,
});

/** The body of `GET /operator/system`; what is given replaces what is usual. */
export const gauges = ({ services, ...given } = {}) => ({
  version: "0.2.0",
  platform: "standalone",
  capabilities: ["bookings", "poison", "messages", "exact_counts", "free_reads"],
  process: { id: 1, started_at: "2030-01-01T11:00:00Z" },
  services: { "ticket-service": RUNNING, "billing-service": RUNNING, "email-service": RUNNING, "order-updates": RUNNING, ...services },
  payment_provider: { name: "simulated", mode: "up" },
  topics: { tickets: topic({}), billing: topic({}), email: topic({}), "order-updates": topic({}) },
  orders: { confirmed: 31, tickets_reserved: 46 },
  audit: { differences: 0, checked: 77, at: "2030-01-01T12:00:00Z" },
  rest_chain: true,
  skipped: 0,
  ...given,
});
