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

const LONG_NAMES = [
  ["Thiruvananthapuram", "Sankt Peter-Ording"],
  ["Llanfairpwllgwyngyll", "Bandar Seri Begawan"],
].map(([from, to], index) => ({
  id: `LONG-FLIGHT-NUMBER-${index}`, from, to, departs_at: "2099-06-21T08:30:00Z", time_zone: "Europe/Vienna", capacity: 9,
  price: { value: 123456789, currency: "EUR" },
}));

test("nothing overflows with long names of cities, with type of twice the size", async (context) => {
  const { customer } = await start(context, { flights: LONG_NAMES });
  const order = { ...ORDER, flight: LONG_NAMES[0].id };
  const look = async (state) => {
    for (const size of [16, 32]) {
      await customer.setFontSize(size);
      for (const window of [WIDE, PHONE]) {
        await customer.arrange(window);
        assert.deepEqual(await customer.overflows(), [], `${state} at ${window.width} px, type of ${size} px`);
        await customer.picture(`long-${state}-${window.width}-type-${size}`);
      }
    }
    await customer.setFontSize(16);
    await customer.arrange(WIDE);
  };
  await customer.arrange(WIDE);
  await customer.fillIn(order);
  await look("form");
  await customer.buy(order);
  await customer.sees(/Booking confirmed/);
  await look("confirmed");
});

for (const [name, window] of Object.entries({ "wide window": WIDE, phone: PHONE })) {
  test(`little jumps while a customer buys, on a ${name}`, async (context) => {
    const { network, customer } = await start(context);
    network.delay(600); // so that no answer comes in the half second after a press
    await customer.arrange(window);
    await customer.open("");
    await customer.buy(ORDER);
    await customer.sees(/Booking confirmed/);
    await customer.sees(/A mail is on its way/);
    await customer.settle();
    const shift = await customer.layoutShift();
    context.diagnostic(`cumulative layout shift ${shift.toFixed(4)}`);
    assert.ok(shift < 0.1, `${shift}`);
  });
}

test("total and button stay in sight on a phone, and cover nothing that has the focus", async (context) => {
  const { customer } = await start(context);
  await customer.arrange(PHONE);
  await customer.sees(/Lisbon/);
  const inSight = () => customer.page.$eval("#buy", (button) => button.getBoundingClientRect().bottom <= innerHeight && button.getBoundingClientRect().top > 0);
  assert.equal(await inSight(), true, "before anything is chosen");
  for (const name of [/OS-410/, "1", "Name", "E-mail", /^Visa/]) {
    await customer.tabTo(name);
    assert.equal(await inSight(), true);
    const covered = await customer.page.evaluate(() => {
      const stub = document.querySelector(".pass-stub").getBoundingClientRect();
      return document.activeElement.getBoundingClientRect().bottom > stub.top;
    });
    assert.equal(covered, false, `${name}`);
  }
  await customer.picture("sticky-390", { whole: false });
});

test("a printed booking has the ticket and its steps, and neither buttons nor the link", async (context) => {
  const { customer } = await start(context);
  await customer.buy(ORDER);
  await customer.sees(/Booking confirmed/);
  await customer.arrange({ width: 794, height: 1123, media: "print" });
  for (const shown of ["#headline", "#timeline", "#pass"]) assert.equal(await customer.isShown(shown), true, shown);
  for (const hidden of [".top", "footer", ".actions", "#copy", "#access", "#live"]) assert.equal(await customer.isShown(hidden), false, hidden);
  await customer.picture("print");
});

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
