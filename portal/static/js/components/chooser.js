// One of what a cloud offers: a list to choose from, or free text where the list cannot be read.

import { api } from "../api.js";
import { h, setText } from "../dom.js";
import { dateTime } from "../format.js";
import { field, fillSelect, select } from "./field.js";

// {items, currency, note, failed}. `note` says why a list is old or missing; only a page that is left throws.
export async function readOffers(cloud, list, { member = list, filters = {} } = {}, signal) {
  try {
    const reply = await api.offers(cloud, list, filters, signal);
    const note = reply.stale ? `${reply.stale_reason ?? "This list is old."} It is from ${dateTime(reply.cached_at)}.` : "";
    return { items: reply[member] ?? [], currency: reply.currency, note };
  } catch (error) {
    if (signal.aborted) throw error;
    return { items: [], note: `The list cannot be read now: ${error.message}`, failed: true };
  }
}

export class Chooser {
  constructor(label, { name, testid, hint = "", placeholder, changed }) {
    this.hint = hint;
    this.notes = [h("span", { testid: `${testid}-note` }), h("span", { testid: `${testid}-note-free` })];
    this.list = select(label, [["", "Loading…"]], { name, testid, hint: this.notes[0] });
    this.free = field(label, { name, testid: `${testid}-free`, hint: this.notes[1], placeholder, autocomplete: "off", spellcheck: "false" });
    this.element = h("div", {}, this.list.element, this.free.element);
    for (const one of [this.list, this.free]) one.control.addEventListener(one === this.list ? "change" : "input", () => changed?.());
    this.wait();
  }

  get active() { return this.list.element.hidden ? this.free : this.list; }
  get value() { return this.active.value.trim(); }

  error(text) {
    for (const one of [this.list, this.free]) one.error("");
    this.active.error(text);
  }

  wait() {
    this.show(this.list, "");
    fillSelect(this.list.control, [["", "Loading…"]], "");
    this.list.control.disabled = true;
  }

  // Choices as [value, text, disabled]; what was chosen stays where it is still offered.
  offer(choices, { value = this.list.value, note = "" } = {}) {
    this.show(this.list, note);
    this.list.control.disabled = false;
    const kept = choices.some(([key, , off]) => key === value && !off) ? value : choices.find(([, , off]) => !off)?.[0] ?? "";
    fillSelect(this.list.control, choices, kept);
  }

  ask(note) {
    this.show(this.free, `${note} Write it as the cloud spells it.`);
  }

  show(one, note) {
    this.list.element.hidden = one !== this.list;
    this.free.element.hidden = one !== this.free;
    for (const place of this.notes) setText(place, note || this.hint);
  }
}
