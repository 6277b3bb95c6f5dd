// The page as people see or hear it: small and wide, light and dark, with large type, with little motion.

import assert from "node:assert/strict";
import { test } from "node:test";

import { expectAccessible } from "./axe.mjs";
import { LOST, ORDER, start } from "./harness.mjs";

const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

/** Each state of the page: its name, and how a customer comes to it. */
const STATES = {
  form: async ({ customer }) => {
    await customer.fillIn(ORDER);
  },
  "form-refused": async ({ customer }) => {
    await customer.page.locator("#buy").click();
    await customer.sees(/Choose a flight\./);
  },
  waiting: async ({ server, customer }) => {
    await server.run("billing-service", false);
    await customer.buy(ORDER);
    await customer.sees(/Your seats are held/);
  },
  confirmed: async ({ customer }) => {
    await customer.buy(ORDER);
    await customer.sees(/Booking confirmed/);
  },
  "cancel-question": async (world) => {
    await STATES.confirmed(world);
    await world.customer.press("Cancel this booking");
  },
  cancelled: async (world) => {
    await STATES["cancel-question"](world);
    await world.customer.press("Yes, cancel it");
    await world.customer.sees(/Booking cancelled/);
  },
  declined: async ({ customer }) => {
    await customer.choose("A card that is declined");
    await customer.buy(ORDER);
    await customer.sees(/have been released/);
  },
  "sold-out": async ({ customer }) => {
    await customer.buy({ ...ORDER, flight: "OS-512", seats: 4 });
    await customer.sees(/Sold out/);
  },
  unanswered: async ({ network, customer }) => {
    network.loseAnswers();
    await customer.buy(ORDER);
    await customer.sees(/Your last order got no answer/);
  },
  missing: async ({ customer }) => {
    await customer.open(LOST);
    await customer.sees(/No such booking/);
  },
  public: async (world) => {
    await STATES.confirmed(world);
    const { id } = await world.customer.address();
    await world.customer.page.evaluate(() => localStorage.clear());
    await world.customer.open(id);
    await world.customer.sees(/What is personal is not shown here/);
  },
};

for (const [state, reach] of Object.entries(STATES)) {
  test(`axe finds nothing in the state ${state}, light and dark`, async (context) => {
    const world = await start(context);
    const { customer } = world;
    await customer.arrange(WIDE);
    await reach(world);
    for (const scheme of ["light", "dark"]) {
      await customer.arrange({ ...WIDE, scheme });
      await expectAccessible(customer.page);
      await customer.picture(`${state}-1280-${scheme}`);
      await customer.arrange({ ...PHONE, scheme });
      await expectAccessible(customer.page);
      await customer.picture(`${state}-390-${scheme}`);
    }
  });

  test(`nothing overflows in the state ${state}, with type of twice the size`, async (context) => {
    const world = await start(context);
    const { customer } = world;
    await customer.arrange(WIDE);
    await reach(world);
    for (const size of [16, 32]) {
      await customer.setFontSize(size);
      for (const window of [WIDE, PHONE]) {
        await customer.arrange(window);
        assert.deepEqual(await customer.overflows(), [], `${state} at ${window.width} px, type of ${size} px`);
        await customer.picture(`${state}-${window.width}-type-${size}`);
      }
    }
  });
}

test("nothing moves for a person who wants less motion", async (context) => {
  const { server, customer } = await start(context);
  await customer.arrange({ motion: "reduce" });
  await customer.watchMotion();
  await server.run("billing-service", false);
  await customer.buy(ORDER);
  await customer.sees(/Your seats are held/);
  await server.run("billing-service", true);
  await customer.sees(/Booking confirmed/);
  assert.deepEqual(await customer.motions(), []);
});

test("steps arrive in motion for everyone else", async (context) => {
  const { customer } = await start(context);
  await customer.arrange({});
  await customer.watchMotion();
  await customer.buy(ORDER);
  await customer.sees(/Booking confirmed/);
  assert.notDeepEqual(await customer.motions(), [], "the test above can see motion");
});
