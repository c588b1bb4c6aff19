// A labelled input with its hint and its error beside it, wired for screen readers.

import { h, uid } from "../dom.js";
import { errorText, iconButton, showError } from "./basics.js";

export function field(label, { name, type = "text", value = "", hint, optional, required, autocomplete, placeholder, testid, input, extra, spellcheck, inputmode } = {}) {
  const id = uid(name ?? "field");
  const control = input ?? h(type === "textarea" ? "textarea" : "input", {
    class: "input", name, value, autocomplete, placeholder, testid, spellcheck, inputmode, autocapitalize: "none",
    ...(type === "textarea" ? { rows: "4" } : { type }),
  });
  control.id = id;
  if (required) control.setAttribute("aria-required", "true");
  const problem = errorText(`${id}-error`);
  const note = hint && h("div", { class: "hint", id: `${id}-hint` }, hint);
  control.setAttribute("aria-describedby", [note && note.id, problem.id].filter(Boolean).join(" "));
  const element = h("div", { class: "field" },
    h("label", { for: id }, label, optional && h("span", { class: "optional" }, " (optional)")),
    type === "password" ? withEye(control) : control, note, problem, extra);
  const made = {
    element, control,
    get value() { return control.value; },
    set value(text) { control.value = text; },
    error(text) {
      showError(problem, text);
      if (text) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    },
  };
  control.addEventListener("input", () => made.error("")); // what was said about the old text no longer holds
  return made;
}

function withEye(control) {
  const eye = iconButton("Show the password", "eye", { on: { click: () => {
    const hidden = control.type === "password";
    control.type = hidden ? "text" : "password";
    eye.setAttribute("aria-label", hidden ? "Hide the password" : "Show the password");
    eye.setAttribute("aria-pressed", String(hidden));
  } } });
  return h("div", { class: "with-button" }, control, eye);
}

export function select(label, options, { name, value = "", hint, testid } = {}) {
  const input = h("select", { class: "input", name, testid });
  fillSelect(input, options, value);
  return field(label, { name, input, hint });
}

export function fillSelect(input, options, value) {
  input.replaceChildren(...options.map(([key, text, disabled]) => h("option", { value: key, disabled, selected: key === value }, text)));
  input.value = options.some(([key]) => key === value) ? value : options[0]?.[0] ?? "";
}

export function radioCards(legend, name, options, value, on) {
  const inputs = options.map(({ key, title, text }) => {
    const input = h("input", { type: "radio", name, value: key, checked: key === value, on: { change: () => on?.(key) } });
    return h("label", { class: "choice" }, input, h("b", {}, title), text && h("span", {}, text));
  });
  return h("div", { role: "radiogroup", "aria-label": legend, class: "cards" }, inputs);
}
