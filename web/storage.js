// What the page remembers over a reload: values as JSON, each under a name. Where the browser blocks its storage,
// or it is full, they are remembered until the page is closed.

const memory = new Map();

/** The value under `name`; null if there is none, or if what another program left there cannot be read. */
export function load(name) {
  try {
    return JSON.parse(memory.get(name) ?? localStorage.getItem(name));
  } catch {
    return null;
  }
}

export function save(name, value) {
  const text = JSON.stringify(value);
  try {
    localStorage.setItem(name, text);
    memory.delete(name);
  } catch {
    memory.set(name, text);
  }
}

export function remove(name) {
  memory.delete(name);
  try {
    localStorage.removeItem(name);
  } catch {
    // Blocked: nothing was stored.
  }
}
