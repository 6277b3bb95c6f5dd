// Where the pipes of the picture run. Pure: boxes in, paths out, all in pixels.

const BEND = 26;
const HALF = 9; // of a pipe's width

const middle = ({ top, bottom }) => (top + bottom) / 2;
const centre = ({ left, right }) => (left + right) / 2;

/**
 * From the boxes of the parts, `{ left, right, top, bottom }` by name: `walls`, the lines of each topic's pipe; `courses`,
 * the ways that messages take, one for each sender; `queues`, where messages wait, ending at the consumer; `arrows`, the
 * pipes' heads; and the wires to the
 * `customers` and the `provider`. Answers run along `floor`, below all parts.
 */
export function lay(boxes, floor) {
  const gateway = boxes["order-updates"];
  const walls = {};
  const courses = {};
  const queues = {};
  const arrows = {};

  for (const [topic, name, lane] of [["tickets", "ticket-service", -1], ["billing", "billing-service", 0], ["email", "email-service", 1]]) {
    const service = boxes[name];
    const y = middle(service);
    const from = { x: gateway.right, y: middle(gateway) + lane * Math.min(26, (gateway.bottom - gateway.top) / 4) };
    const end = service.left - HALF;
    const bend = Math.min(4 * BEND, (end - from.x) / 3);
    const d = from.y === y
      ? `M${from.x} ${y}H${end}`
      : `M${from.x} ${from.y}C${from.x + bend * 0.7} ${from.y} ${from.x + bend * 0.3} ${y} ${from.x + bend} ${y}H${end}`;
    walls[topic] = d;
    courses[topic] = [d];
    queues[topic] = `M${from.x + (from.y === y ? BEND : bend)} ${y}H${end}`;
    arrows[topic] = head(service.left, y, "right");
  }

  // Answers leave the services on their right, and run below everything to the gateway.
  const tickets = boxes["ticket-service"];
  const billing = boxes["billing-service"];
  const trunk = Math.max(tickets.right, billing.right) + 1.6 * BEND;
  const to = { x: centre(gateway), y: gateway.bottom + HALF };
  const down = () => `V${floor - BEND}Q${trunk} ${floor} ${trunk - BEND} ${floor}`;
  const along = `H${to.x + BEND}Q${to.x} ${floor} ${to.x} ${floor - BEND}V${to.y}`;
  const leave = (service) => `M${service.right} ${middle(service)}H${trunk - BEND}Q${trunk} ${middle(service)} ${trunk} ${middle(service) + BEND}`;
  courses["order-updates"] = [tickets, billing].map((service) => leave(service) + down() + along);
  walls["order-updates"] = courses["order-updates"].join("");
  queues["order-updates"] = `M${trunk - BEND} ${floor}${along}`;
  arrows["order-updates"] = head(to.x, gateway.bottom, "up");

  const wire = (one, other) => `M${one.right} ${middle(one)}H${other.left}`;
  return { walls, courses, queues, arrows, customers: wire(boxes.customers, gateway), provider: wire(billing, boxes.provider) };
}

function head(x, y, direction) {
  return direction === "right" ? `M${x - 2} ${y}l-9 -7v14z` : `M${x} ${y + 2}l-7 9h14z`;
}
