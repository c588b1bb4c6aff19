// A StackScript and what it asks for: its user-defined fields, as inputs.

import { h, replace } from "../dom.js";
import { Chooser } from "./chooser.js";
import { field, select } from "./field.js";

const ANY_IMAGE = "any/all";
const SECRET = /pass(word)?|secret|token/i;

export class StackScripts {
  constructor() {
    this.scripts = [];
    this.image = "";
    this.inputs = [];
    this.chooser = new Chooser("StackScript", { name: "stackscriptId", testid: "server-stackscript", hint: "Runs once, at the first start. Those that fit the image are listed.", placeholder: "12345", changed: () => this.drawn() });
    this.fields = h("div", { class: "two", testid: "stackscript-fields" });
    this.element = h("div", { class: "stack" }, this.chooser.element, this.fields);
  }

  get chosen() { return this.scripts.find((one) => String(one.id) === this.chooser.value); }

  offered({ items, note, failed }) {
    this.scripts = items;
    if (failed) this.chooser.ask(note);
    else this.fit(this.image, note);
    this.drawn();
  }

  fit(image, note = this.note ?? "") {
    this.image = image;
    this.note = note;
    if (this.chooser.active !== this.chooser.list) return;
    const fitting = this.scripts.filter((one) => !image || !one.images.length || one.images.includes(ANY_IMAGE) || one.images.includes(image));
    this.chooser.offer([["", "None"], ...fitting.map((one) => [String(one.id), `${one.label} (${one.id})`])], { note });
    this.drawn();
  }

  drawn() {
    const script = this.chosen;
    if (script === this.shown) return;
    this.shown = script;
    this.inputs = (script?.user_defined_fields ?? []).filter((one) => one.name).map(input);
    replace(this.fields, script?.description && h("p", { class: "hint whole" }, script.description), this.inputs.map((one) => one.element));
  }

  valid() {
    for (const one of this.inputs) one.error(one.required && !one.value ? "This StackScript needs a value." : "");
    const typed = this.chooser.value;
    this.chooser.error(typed && !/^[1-9]\d*$/.test(typed) ? "A StackScript is named by its number." : "");
  }

  order() {
    if (!this.chooser.value) return {};
    const data = Object.fromEntries(this.inputs.filter((one) => one.value !== "").map((one) => [one.name, one.value]));
    return { stackscriptId: Number(this.chooser.value), ...(Object.keys(data).length ? { stackscriptData: data } : {}) };
  }
}

function input({ name, label, default: usual, example, oneof, manyof }) {
  const required = usual === undefined || usual === null;
  const options = { name, testid: `stackscript-${name}`, hint: example && `For example ${example}`, optional: !required };
  const made = oneof
    ? select(label || name, [...(required ? [["", "Choose one"]] : []), ...String(oneof).split(",").map((one) => [one.trim(), one.trim()])], { ...options, value: usual ?? "" })
    : field(label || name, { ...options, value: usual ?? "", required, spellcheck: "false", autocomplete: "off", ...(manyof ? { hint: `Any of ${manyof}, separated by commas` } : {}), ...(SECRET.test(name) ? { type: "password", autocomplete: "new-password" } : {}) });
  return { name, required, element: made.element, error: made.error, get value() { return made.value.trim(); } };
}
