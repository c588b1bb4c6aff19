// The head of a page about one thing: what it is called, how it stands, its facts, and what may be done.

import { h, replace, setText } from "../dom.js";
import { chip, redraw, updateChip } from "./basics.js";

export class Head {
  constructor(label) {
    this.title = h("h1", { tabindex: "-1" });
    this.state = chip({ label: "", tone: "idle", icon: "dot" }, { large: true, testid: "status-chip" });
    this.under = h("p", { class: "run-url" });
    this.message = h("p", { class: "run-message", testid: "status-message" });
    this.facts = h("dl", { class: "run-facts" });
    this.actions = h("div", { class: "actions" });
    this.element = h("section", { class: "card run-head", "aria-label": label },
      h("div", { class: "run-top" }, h("div", { class: "run-title" }, h("div", { class: "run-name" }, this.title, this.state), this.under), this.actions),
      this.message, this.facts);
  }

  // `draw()` answers { under, facts: [[label, value]], actions }; it is asked only when `key` says that they differ.
  update(name, state, message, key, draw) {
    setText(this.title, name);
    document.title = `${name}: ${state.label} · Slipway`;
    updateChip(this.state, state);
    setText(this.message, message ?? "");
    const text = JSON.stringify(key);
    if (text === this.shown) return;
    this.shown = text;
    const { under, facts, actions } = draw();
    replace(this.under, under);
    replace(this.facts, facts.map(([label, value]) => value && h("div", {}, h("dt", {}, label), h("dd", {}, value))));
    redraw(this.actions, actions);
  }
}
