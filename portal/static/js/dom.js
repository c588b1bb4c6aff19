// Builds elements. Data only ever becomes text or an attribute: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "indeterminate", "open", "readOnly", "scrollTop"]);

export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const svg = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "testid") element.setAttribute("data-testid", value);
    else if (name === "href") element.setAttribute("href", safeHref(value));
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) element.append(child);
  }
  return element;
}

export function replace(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

// A link that came from data may lead to a web page or to a place of the portal, never to a script.
export function safeHref(value) {
  const text = String(value);
  return /^(https?:\/\/|mailto:|#|\/(?!\/))/i.test(text) ? text : "#";
}

let counter = 0;
export const uid = (prefix) => `${prefix}-${++counter}`;

// Writes text only when it differs, so that live regions and selections are left alone.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
