// Chooses the view: the form, or the booking whose id follows the `#` in the address.

import { openBooking } from "./booking.js";
import { openForm } from "./form.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const views = ["order", "booking", "missing"].map((id) => document.getElementById(id));
let leaving = new AbortController();
let fresh = null;

function route() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const id = location.hash.slice(1);
  listRecent(id);
  if (!id) {
    present("order", "Book a flight");
    openForm(signal, booked);
  } else if (UUID.test(id)) {
    present("booking", "Your booking");
    openBooking(id, signal, { fresh: fresh?.id === id ? fresh : null, onMissing: () => missing(id) });
  } else {
    missing(id);
  }
  fresh = null;
}

function booked(booking) {
  recent.keep(booking.id);
  fresh = booking;
  location.hash = booking.id;
}

function missing(id) {
  recent.drop(id);
  listRecent(id);
  present("missing", "No such booking");
}

function present(id, title) {
  for (const view of views) view.hidden = view.id !== id;
  document.getElementById("pass").hidden = true; // until the view fills it
  document.title = `${title} · Gateway`;
}

const recent = {
  ids() {
    // Storage may be blocked, or hold data of another program.
    try {
      const ids = JSON.parse(localStorage.getItem("bookings") ?? "[]");
      return ids.filter((id) => UUID.test(id));
    } catch {
      return [];
    }
  },
  save(ids) {
    try {
      localStorage.setItem("bookings", JSON.stringify(ids.slice(0, 8)));
    } catch {
      // Only a convenience: the address leads to the booking.
    }
  },
  keep(id) {
    this.save([id, ...this.ids().filter((other) => other !== id)]);
  },
  drop(id) {
    this.save(this.ids().filter((other) => other !== id));
  },
};

function listRecent(current) {
  const items = recent.ids().map((id) => {
    const link = document.createElement("a");
    link.href = `#${id}`;
    link.textContent = id.slice(0, 8);
    if (id === current) link.setAttribute("aria-current", "page");
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
