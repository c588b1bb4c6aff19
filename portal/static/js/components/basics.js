// Small parts that every page uses: chips, buttons, notices, skeletons, empty states, copy, announcements.

import { h, replace, setText } from "../dom.js";
import { icon } from "../icons.js";

export function chip(state, { large = false, testid, text } = {}) {
  return h("span", { class: `chip tone-${state.tone}${large ? " large" : ""}${state.live ? " live" : ""}`, testid }, icon(state.icon), text ?? state.label);
}

export function updateChip(element, state) {
  if (element.dataset.state === state.label) return;
  element.dataset.state = state.label;
  element.className = `chip tone-${state.tone}${element.classList.contains("large") ? " large" : ""}${state.live ? " live" : ""}`;
  replace(element, icon(state.icon), state.label);
}

export function button(label, { kind = "", symbol, type = "button", testid, title, on, href, disabled, external } = {}) {
  const content = [symbol && icon(symbol), label];
  if (href) {
    return h("a", { class: `button ${kind}`, href, testid, title, ...(external ? { target: "_blank", rel: "noopener noreferrer" } : {}) }, content);
  }
  return h("button", { class: `button ${kind}`, type, testid, title, on, disabled }, content);
}

export const iconButton = (label, symbol, options = {}) => {
  const element = button("", { ...options, symbol, kind: `icon ${options.kind ?? "quiet"}`, title: label });
  element.setAttribute("aria-label", label);
  return element;
};

// Holds a button while its work runs, so that one press is one request: a second press waits for ever.
export async function busy(element, work) {
  if (element.hasAttribute("data-busy")) return new Promise(() => {});
  element.setAttribute("data-busy", "");
  element.setAttribute("aria-disabled", "true");
  try {
    return await work();
  } finally {
    element.removeAttribute("data-busy");
    element.removeAttribute("aria-disabled");
  }
}

// Draws a place anew and leaves the focus on the control that had it, if it is drawn again.
export function redraw(place, ...content) {
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
  replace(place, ...content);
  if (focused) place.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

export const notice = (tone, symbol, ...content) => h("div", { class: `notice tone-${tone}` }, icon(symbol), h("div", {}, content));

export const errorText = (id) => h("p", { class: "error", id, hidden: true });
export function showError(element, text) {
  element.hidden = !text;
  if (text) replace(element, icon("alert"), h("span", {}, text));
  else element.replaceChildren();
}

export const skeleton = (...widths) =>
  h("div", { class: "skeleton-rows", "aria-hidden": "true" }, widths.map((width) => h("div", { class: "skeleton", style: { width } })));

export const empty = (symbol, title, ...more) => h("div", { class: "empty" }, icon(symbol), h("b", {}, title), more);

export const card = (title, { sub, tools, body, testid, kind = "" } = {}) =>
  h("section", { class: `card ${kind}`, testid, "aria-label": typeof title === "string" ? title : undefined },
    h("div", { class: "card-head" }, h("div", {}, h("h2", {}, title), sub && h("p", {}, sub)), tools), body);

export const bullets = (symbol, tone, lines) =>
  h("ul", { class: `bullets tone-${tone}` }, lines.map((line) => h("li", {}, icon(symbol), h("span", { class: "break" }, line))));

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // The clipboard API needs a secure context; a plain LAN address is none.
    const area = h("textarea", { class: "sr-only", value: text, "aria-hidden": "true" });
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export function copyButton(label, text, kind = "quiet small") {
  const element = iconButton(label, "copy", { kind, on: { click: async () => {
    const done = await copyText(typeof text === "function" ? text() : text);
    replace(element, icon(done ? "check" : "alert"));
    announce(done ? "Copied" : "Copying was refused by the browser");
    setTimeout(() => replace(element, icon("copy")), 1600);
  } } });
  return element;
}

export const announce = (text) => setText(document.getElementById("announcer"), text);
