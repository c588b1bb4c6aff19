// Hash routes: `#/instances/3f…?tab=x`. Every view gets a signal that ends with it.

const routes = [];
let current = null;

export function route(pattern, view) {
  const names = [];
  const source = pattern.replace(/:([a-z]+)/g, (_, name) => { names.push(name); return "([^/]+)"; });
  routes.push({ expression: new RegExp(`^${source}$`), names, view });
}

export function place() {
  const [path, search = ""] = (location.hash.replace(/^#/, "") || "/").split("?");
  return { path: path || "/", query: Object.fromEntries(new URLSearchParams(search)) };
}

export function match(path) {
  for (const { expression, names, view } of routes) {
    const found = expression.exec(path);
    if (found) return { view, params: Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(found[i + 1])])) };
  }
  return null;
}

export function go(target, { replace = false } = {}) {
  const hash = `#${target}`;
  if (location.hash === hash) window.dispatchEvent(new HashChangeEvent("hashchange"));
  else if (replace) location.replace(hash);
  else location.hash = hash;
}

// Puts a filter into the address without showing the view again.
export function keepQuery(values) {
  const { path } = place();
  const text = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "" && value !== undefined && value !== null)).toString();
  history.replaceState(null, "", `#${path}${text ? `?${text}` : ""}`);
}

export function begin() {
  current?.abort();
  current = new AbortController();
  return current.signal;
}
