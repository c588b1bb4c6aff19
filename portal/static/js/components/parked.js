// A parked step: what happened, since when, until when, who may end it, and the form that ends it.

import { h, setText, uid } from "../dom.js";
import { brief, dateTime, duration, now, since, spaced, words } from "../format.js";
import { icon } from "../icons.js";
import { mayOperate } from "../session.js";
import { busy, button, iconButton } from "./basics.js";
import { field } from "./field.js";
import { failed, said } from "./toast.js";

const LABELS = {
  product: ["Product", "The cloud's product, for example bladevps-x4. Empty means: by tier."],
  availability_zone: ["Availability zone", "Empty means: the provider's default."],
  operating_system: ["Operating system", "Empty means: the configured one."],
  blueprint_version: ["Blueprint version", "Empty means: the newest."],
  registry: ["Image registry", "Host and port. Empty means: the blueprint's."],
  migration_command: ["Migration command", "One argument per line. Empty means: the blueprint's."],
  environment: ["Environment", "Additional variables that are not secret."],
  acme_profile: ["Certificate profile", "Empty means: the CA's default."],
  challenge: ["Proof for the CA", "dns-01 or http-01. Empty means: DNS where the zone is ours."],
  domain: ["Domain", "Empty means: a name of the platform's own."],
  runtime: ["Runtime", "php or static."],
  web_server_id: ["Web server", "Its id. Empty means: the active one with the most room."],
  mail_server_id: ["Mail server", "Its id. Empty means: the active one with the most room."],
  refund_reference: ["Refund made by hand", "The payment service's id of it, such as re_…. Empty means: refund it from here."],
  price_id: ["Price", "The id of the price to change to."],
};
const LISTS = new Set(["migration_command"]);
const MAPS = new Set(["environment"]);

// `send(step, changes)` asks for the retry; `decided` is told once it was taken.
export class ParkedPanel {
  constructor(send, parked, step, decided) {
    this.send = send;
    this.decided = decided;
    this.title = step?.title ?? words(parked.step);
    this.parts = { trouble: h("b", {}), message: h("p", { class: "parked-message" }), since: h("dd", {}), until: h("dd", {}), owner: h("dd", {}) };
    this.inputs = (parked.editable ?? []).map((name) => input(name, parked.current?.[name]));
    this.step = parked.step;
    const { trouble, message, since: from, until, owner } = this.parts;
    this.heading = h("h2", {}, icon("hand"), `${this.title} ${parked.undoing ? "could not be undone" : "needs a decision"}`);
    this.element = h("section", { class: "card parked", testid: `parked-${parked.step}`, "aria-label": `${this.title} needs a decision` },
      h("div", { class: "card-head" }, this.heading),
      h("div", { class: "card-body parked-body" },
        h("div", { class: "parked-facts" }, h("p", {}, trouble), message,
          h("dl", { class: "facts" }, h("dt", {}, "Since"), from, h("dt", {}, "Until"), until, h("dt", {}, "Who decides"), owner)),
        mayOperate() ? this.form(parked) : h("p", { class: "muted" }, "An operator can retry this step or roll the run back.")));
    this.update(parked);
  }

  form(parked) {
    this.submit = button(parked.undoing ? "Try the undo again" : "Retry this step", { kind: "primary", type: "submit", symbol: "retry", testid: `retry-${parked.step}` });
    return h("form", { class: "parked-form", novalidate: true, testid: `retry-form-${parked.step}`, on: { submit: (event) => { event.preventDefault(); this.retry(); } } },
      this.inputs.length
        ? [h("p", { class: "small muted" }, "Correct what was wrong, or retry as it is once the cause is gone."), this.inputs.map((one) => one.element)]
        : h("p", { class: "small muted" }, "Nothing can be corrected here. Retry once the cause is gone, or roll back."),
      h("div", { class: "actions" }, this.submit));
  }

  async retry() {
    const changes = {};
    for (const one of this.inputs) if (one.changed()) changes[one.name] = one.value();
    for (const one of this.inputs) one.error("");
    try {
      await busy(this.submit, () => this.send(this.step, changes));
      said(`${this.title} is tried again.`);
      this.decided();
    } catch (error) {
      const target = this.inputs.find((one) => error.fields[camel(one.name)]);
      if (target) { target.error(error.fields[camel(target.name)]); target.focus(); } else failed(error);
      if (error.status === 409) this.decided();
    }
  }

  update(parked) {
    this.parked = parked;
    setText(this.parts.trouble, spaced(parked.trouble));
    setText(this.parts.message, parked.message);
    setText(this.parts.owner, words(parked.owner));
    this.tick();
  }

  tick() {
    const left = (Date.parse(this.parked.until) - now()) / 1000;
    setText(this.parts.since, `${duration(since(this.parked.since))} (${dateTime(this.parked.since)})`);
    setText(this.parts.until, left > 0 ? `${duration(left)} left (${dateTime(this.parked.until)})` : `overdue by ${brief(-left)} (${dateTime(this.parked.until)})`);
    this.element.classList.toggle("overdue", left <= 0);
  }
}

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

function input(name, current) {
  const [label, hint] = LABELS[name] ?? [words(name), ""];
  const testid = `input-${name}`;
  if (MAPS.has(name) || (current && typeof current === "object" && !Array.isArray(current))) return rows(name, label, hint, current ?? {});
  const list = LISTS.has(name) || Array.isArray(current);
  const before = list ? (current ?? []).join("\n") : String(current ?? "");
  const control = field(label, { name, type: list ? "textarea" : "text", value: before, hint, testid, spellcheck: "false" });
  const value = () => (list ? control.value.split("\n").map((line) => line.trim()).filter(Boolean) : control.value.trim());
  return {
    name, element: control.element, value, error: control.error, focus: () => control.control.focus(),
    changed: () => JSON.stringify(value()) !== JSON.stringify(list ? (current ?? []) : before),
  };
}

function rows(name, label, hint, current) {
  const id = uid(name);
  const list = h("div", { class: "kv" });
  const row = (key, value) => {
    const element = h("div", { class: "kv-row" },
      h("input", { class: "input", value: key, placeholder: "NAME", "aria-label": `${label}: name`, spellcheck: "false", autocapitalize: "none", testid: "kv-name" }),
      h("input", { class: "input", value, placeholder: "value", "aria-label": `${label}: value`, spellcheck: "false", autocapitalize: "none", testid: "kv-value" }),
      iconButton("Remove this row", "close", { kind: "quiet small", on: { click: () => { element.remove(); add.focus(); } } }));
    list.append(element);
    return element;
  };
  for (const [key, value] of Object.entries(current)) row(key, String(value));
  const add = button("Add a variable", { kind: "small", symbol: "add", testid: `add-${name}`, on: { click: () => row("", "").querySelector("input").focus() } });
  const problem = h("p", { class: "error", hidden: true });
  const value = () => Object.fromEntries([...list.children].map((one) => [...one.querySelectorAll("input")].map((control) => control.value.trim())).filter(([key]) => key));
  return {
    name, value, changed: () => JSON.stringify(value()) !== JSON.stringify(current),
    element: h("div", { class: "field", role: "group", "aria-labelledby": id }, h("span", { class: "label", id }, label), h("div", { class: "hint" }, hint), list, h("div", {}, add), problem),
    error: (text) => { problem.hidden = !text; setText(problem, text); },
    focus: () => (list.querySelector("input") ?? add).focus(),
  };
}
