// Chooses the view: the form, or the booking whose id follows the `#` in the address. After the id comes the token
// that gives access to what is personal, and to cancellation.

import { openBooking } from "./booking.js";
import { openForm } from "./form.js";
import * as recent from "./recent.js";

const views = ["order", "booking", "missing"].map((id) => document.getElementById(id));
let leaving = new AbortController();
let fresh = null;
let draft = null;

/** `refused`: the booking was just asked for with a token that is not right. */
function route({ refused = false } = {}) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [id, given] = location.hash.slice(1).split("/");
  if (!id) {
    present("order", "Book a flight");
    openForm(signal, booked, draft);
  } else if (!recent.isId(id)) {
    missing(id);
  } else if (given && !recent.isToken(given)) {
    refuse(id, given);
    return;
  } else {
    const token = given || recent.tokenOf(id);
    address({ id, token });
    present("booking", "Your booking");
    const onMissing = () => missing(id);
    const onCalled = (called, isFull) => {
      // The short name, of a flight that is not on sale any more, replaces no full one.
      const known = recent.recent().find((booking) => booking.id === id)?.called;
      if ((isFull || !known) && recent.call(id, called)) listRecent(id);
    };
    const onAnother = (order) => {
      draft = order;
      location.hash = "";
    };
    const onRefused = () => refuse(id, token);
    openBooking({ id, token }, signal, { fresh: fresh?.id === id ? fresh : null, refused, onMissing, onRefused, onCalled, onAnother });
  }
  listRecent(id);
  fresh = null;
  draft = null;
}

function booked(booking) {
  const reference = { id: booking.id, token: booking.manage_token };
  recent.keep(reference);
  fresh = booking;
  location.hash = recent.fragment(reference);
}

/** Shows the booking with the token that this browser has kept, if that is another one, or as everyone may see it. */
function refuse(id, token) {
  recent.dropToken(id, token);
  address({ id, token: recent.tokenOf(id) });
  route({ refused: !recent.tokenOf(id) });
}

/** The address of a booking with its token is all that a customer needs to keep. */
const address = (reference) => history.replaceState(null, "", `#${recent.fragment(reference)}`);

function missing(id) {
  recent.drop(id);
  listRecent(id);
  present("missing", "No such booking");
}

function present(id, title) {
  for (const view of views) view.hidden = view.id !== id;
  document.getElementById("pass").hidden = true; // until the view fills it
  document.getElementById("zone").hidden = id !== "booking"; // departures have zones of their own
  document.title = `${title} · Gateway`;
}

function listRecent(current) {
  const items = recent.recent().map((reference) => {
    const link = document.createElement("a");
    link.href = `#${recent.fragment(reference)}`;
    link.textContent = reference.called ?? reference.id.slice(0, 8);
    if (reference.id === current) link.setAttribute("aria-current", "page");
    const item = document.createElement("li");
    item.append(link);
    return item;
  });
  document.getElementById("recent-list").replaceChildren(...items);
  document.getElementById("recent").hidden = items.length === 0;
}

function arrive() {
  route();
  scrollTo(0, 0);
  views.find((view) => !view.hidden).querySelector("h1").focus();
}

document.querySelector("[data-zone]").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll("_", " ");
addEventListener("hashchange", arrive);
route();
