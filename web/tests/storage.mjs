// The browser's storage, for tests of what the page keeps.

export class Storage {
  values = new Map();
  getItem(name) {
    return this.values.get(name) ?? null;
  }
  setItem(name, text) {
    this.values.set(name, text);
  }
  removeItem(name) {
    this.values.delete(name);
  }
}

/** As where the user allows no storage: each access fails. */
export const blocked = new Proxy({}, {
  get() {
    throw new Error("the user allows no storage");
  },
});
