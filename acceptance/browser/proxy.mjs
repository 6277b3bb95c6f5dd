// The network between the browser and the server. It can lose the answers to orders: the server has the order, and
// has answered, but the browser sees its connection end. It can be slow for orders, and cut altogether.

import { once } from "node:events";
import { createServer, request } from "node:http";

/** `{ url, orders, loseAnswers, delay, cut, restore, stop }`: `orders` holds the idempotency key of each order that arrived. */
export async function startProxy(server) {
  const { hostname, port } = new URL(server);
  const orders = [];
  let losing = false;
  let away = false;
  let delay = 0;

  const proxy = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    if (away) {
      incoming.socket.destroy();
      return;
    }
    const isOrder = method === "POST";
    if (isOrder) orders.push(headers["idempotency-key"]);
    const onward = request({ hostname, port, method, path: url, headers: { ...headers, host: `${hostname}:${port}` } });
    onward.on("response", (answer) => {
      // Not only the next one: a browser itself sends a request again when a connection that it had used before ends.
      if (isOrder && losing) {
        answer.resume();
        incoming.socket.destroy();
        return;
      }
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => incoming.socket.destroy());
    setTimeout(() => incoming.pipe(onward), isOrder ? delay : 0);
  });

  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    url: `http://127.0.0.1:${proxy.address().port}/`,
    orders,
    loseAnswers: () => (losing = true),
    delay: (milliseconds) => (delay = milliseconds),
    cut: () => (away = true),
    restore: () => (losing = away = false),
    async stop() {
      proxy.close();
      proxy.closeAllConnections();
      await once(proxy, "close");
    },
  };
}
