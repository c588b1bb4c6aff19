// One price of a product in its form: what it costs, how often, and what is in it.

import { button } from "../components/basics.js";
import { field, select } from "../components/field.js";
import { h } from "../dom.js";
import { centsOf, price } from "../format.js";

export const INTERVALS = [["month", "A month"], ["year", "A year"], ["once", "Once"]];
export const LIMITS = [["disk_mb", "Disk (MB)"], ["traffic_mb", "Traffic (MB)"], ["mailboxes", "Mailboxes"], ["mailbox_mb", "Mailbox (MB)"], ["domains", "Domains"], ["databases", "Databases"]];

export class PriceForm {
  // A price that is there is replaced by one of the same interval and currency, so these two stay as they are.
  constructor(one, removed) {
    this.one = one;
    this.amount = field("Price", { name: "amount", value: one ? price(one.amount, "").trim() : "", required: true, inputmode: "decimal", autocomplete: "off", placeholder: "12.50", testid: "price-amount" });
    this.currency = field("Currency", { name: "currency", value: one?.currency ?? "EUR", required: true, autocomplete: "off", testid: "price-currency" });
    this.interval = select("Paid", INTERVALS, { name: "interval", value: one?.interval ?? "month", testid: "price-interval" });
    this.currency.control.disabled = this.interval.control.disabled = Boolean(one);
    this.limits = Object.fromEntries(LIMITS.map(([name, label]) => [name, field(label, { name, value: String(one?.limits?.[name] ?? ""), inputmode: "numeric", autocomplete: "off", testid: `price-${name}` })]));
    this.fold = h("details", { class: "fold" }, h("summary", {}, "What is in it"),
      h("div", { class: "thirds" }, Object.values(this.limits).map((each) => each.element)),
      h("p", { class: "hint" }, "Empty sets no limit."));
    this.element = h("fieldset", { class: "price-row", testid: "price-row" }, h("legend", { class: "sr-only" }, "Price"),
      h("div", { class: "thirds" }, this.amount.element, this.currency.element, this.interval.element), this.fold,
      !one && button("Remove this price", { kind: "small", testid: "remove-price", on: { click: () => removed(this) } }));
    this.before = JSON.stringify(this.value());
  }

  get key() { return `${this.interval.value} ${this.currency.value.trim().toUpperCase()}`; }
  get changed() { return !this.one || JSON.stringify(this.value()) !== this.before; }

  value() {
    const limits = {};
    for (const [name, one] of Object.entries(this.limits)) if (one.value.trim()) limits[name] = Number(one.value.trim());
    return { interval: this.interval.value, amount: centsOf(this.amount.value), currency: this.currency.value.trim().toUpperCase(), limits };
  }

  fields() { return { amount: this.amount, currency: this.currency, interval: this.interval, ...this.limits }; }

  // What can be answered without asking the API; true if there is nothing to say.
  check(others) {
    if (centsOf(this.amount.value) === null) this.amount.error("Write an amount like 12.50.");
    if (!/^[A-Za-z]{3}$/.test(this.currency.value.trim())) this.currency.error("Write three letters, like EUR.");
    if (others.some((one) => one.key === this.key)) this.interval.error("There is another price of this interval and currency.");
    for (const one of Object.values(this.limits)) if (!/^\d{0,12}$/.test(one.value.trim())) one.error("Write a whole number.");
    return this.settle();
  }

  // `errors` by name of the input.
  show(errors) {
    for (const [name, one] of Object.entries(this.fields())) if (errors[name]) one.error(errors[name]);
    return this.settle();
  }

  // An error inside the fold must not stay hidden.
  settle() {
    if (this.fold.querySelector("[aria-invalid]")) this.fold.open = true;
    return !this.element.querySelector("[aria-invalid]");
  }
}
