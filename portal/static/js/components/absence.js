// The proofs after a rollback or a termination: what does not exist any more, how that was seen, and what is billed.

import { h, replace } from "../dom.js";
import { dateTime } from "../format.js";
import { icon } from "../icons.js";
import { notice } from "./basics.js";

export class Absence {
  constructor() {
    this.body = h("div", { class: "card-body stack" });
    this.element = h("section", { class: "card", "aria-label": "Proof of absence", testid: "absence", hidden: true },
      h("div", { class: "card-head" }, h("div", {}, h("h2", {}, "Proof that nothing is left"), h("p", {}, "Asked of the systems themselves, not read from our own rows"))), this.body);
  }

  update({ absence }) {
    const text = JSON.stringify(absence ?? null);
    if (text === this.shown) return;
    this.shown = text;
    const { proofs = [], still_billed: billed, billed_until: until } = absence ?? {};
    this.element.hidden = !proofs.length && !billed;
    replace(this.body,
      h("ul", { class: "proofs" }, proofs.map((one) => h("li", { class: "tone-ok" }, icon("check"),
        h("div", {}, h("b", {}, one.what), h("p", { class: "small muted break" }, one.evidence, " ", h("time", { datetime: one.at, class: "nowrap" }, dateTime(one.at))))))),
      billed
        ? notice("warn", "info", h("b", {}, "Still billed: "), billed, until && `, until ${dateTime(until)}`)
        : proofs.length > 0 && notice("ok", "check", "Nothing of it is billed any more."));
  }
}
