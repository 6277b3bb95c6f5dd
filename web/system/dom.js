// The few helpers that the views share. What has not changed is not touched: a screen reader speaks a text each time it is
// set, and the focus stays where it is.

export const $ = (id) => document.getElementById(id);

/** Sets a text if it is another. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute, or removes it for `null`, if that changes it. */
export function mark(element, name, value) {
  if (value === null) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

/** An element with attributes and content. */
export function make(tag, attributes = {}, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...content);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
export function draw(tag, attributes = {}) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/**
 * Makes the children of `parent` those of `items`, in their order: `key(item)` says which are the same, `create(item)` makes
 * one, `update(child, item)` brings it up to date. The focus stays on a child that moves; from one that goes it moves to
 * `fallback`.
 */
export function list(parent, items, { key, create, update, fallback }) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const children = items.map((item) => {
    const name = String(key(item));
    const child = old.get(name) ?? create(item);
    child.dataset.key = name;
    old.delete(name);
    update(child, item);
    return child;
  });
  for (const child of old.values()) child.remove();
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  if (!focused || document.activeElement === focused) return;
  if (focused.isConnected) focused.focus({ preventScroll: true });
  else fallback?.focus({ preventScroll: true });
}

/** A row of a table; each cell is named after its column where the table is shown as cards. */
export function row(columns) {
  return make("tr", {}, ...columns.map((column) => make("td", { "data-column": column })));
}

/** Runs `work` now, and then at most once in `pause` milliseconds while it is asked for. */
export function calmly(work, pause) {
  let busy = false;
  let asked = false;
  return async function ask() {
    asked = true;
    if (busy) return;
    busy = true;
    while (asked) {
      asked = false;
      await work();
      await new Promise((resolve) => setTimeout(resolve, pause()));
    }
    busy = false;
  };
}

/** Runs an action of a button: once at a time, its failure shown in `trouble`. */
export async function act(button, trouble, action) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  say(trouble, "");
  try {
    await action();
  } catch (error) {
    say(trouble, error.message);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}
