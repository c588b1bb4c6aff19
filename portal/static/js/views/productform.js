// One form for a new product and for one that is there, with its prices.

import { api } from "../api.js";
import { button } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field, select } from "../components/field.js";
import { said } from "../components/toast.js";
import { h } from "../dom.js";
import { PriceForm } from "./priceform.js";

export const TYPES = [["hosting", "Hosting"], ["mail", "Mail"], ["dns", "DNS"], ["vps", "VPS"]];

export async function editProduct(one, reload) {
  const form = new Form(one);
  const yes = await ask({
    title: one ? `Edit ${one.name}` : "Add a product", symbol: "tag", tone: "run", yes: one ? "Save" : "Add", kind: "primary", testid: "product-dialog", body: form.element,
    act: () => form.send((values) => (one ? api.changeProduct(one.id, values) : api.createProduct(values))),
  });
  if (!yes) return;
  said(`${form.name.value.trim()} is ${one ? "saved" : "added"}.`);
  await reload();
}

class Form {
  constructor(one) {
    this.one = one;
    this.name = field("Name", { name: "name", value: one?.name ?? "", required: true, autocomplete: "off", testid: "product-name" });
    this.slug = field("Short name", { name: "slug", value: one?.slug ?? "", required: true, autocomplete: "off", spellcheck: "false", hint: one ? "Stays as it is." : "Lower case letters, digits and hyphens.", testid: "product-slug" });
    this.type = select("Type", TYPES, { name: "type", value: one?.type ?? "hosting", testid: "product-type" });
    this.description = field("Description", { name: "description", type: "textarea", value: one?.description ?? "", optional: true, testid: "product-description" });
    this.slug.control.disabled = this.type.control.disabled = Boolean(one);
    this.active = h("input", { type: "checkbox", checked: one?.active ?? true, testid: "product-active" });
    this.prices = [];
    this.list = h("div", { class: "stack" });
    this.more = button("Add a price", { symbol: "add", kind: "small", testid: "add-price", on: { click: () => this.put(null).amount.control.focus() } });
    this.element = h("div", { class: "stack" }, this.name.element, h("div", { class: "two" }, this.slug.element, this.type.element), this.description.element,
      h("label", { class: "check" }, this.active, h("b", {}, "Offered")),
      h("h3", {}, "Prices"), this.list, h("div", { class: "actions" }, this.more));
    const there = one ? one.prices.filter((each) => each.active) : [null];
    for (const each of there) this.put(each);
  }

  put(one) {
    const made = new PriceForm(one, (gone) => {
      this.prices = this.prices.filter((each) => each !== gone);
      gone.element.remove();
      this.more.focus(); // the button that was pressed is gone
    });
    this.prices.push(made);
    this.list.append(made.element);
    return made;
  }

  // Only prices that differ are sent: one that is replaced by itself would look like a change to whoever reads the audit.
  values(prices) {
    const told = { name: this.name.value.trim(), description: this.description.value.trim(), active: this.active.checked };
    const sent = prices.map((one) => one.value());
    if (this.one) return sent.length ? { ...told, prices: sent } : told;
    return { ...told, slug: this.slug.value.trim(), type: this.type.value, prices: sent };
  }

  async send(work) {
    const own = { name: this.name, slug: this.slug, type: this.type, description: this.description };
    for (const one of [...Object.values(own), ...this.prices.flatMap((each) => Object.values(each.fields()))]) one.error("");
    const fit = this.prices.map((one) => one.check(this.prices.filter((each) => each !== one)));
    if (fit.includes(false)) {
      this.element.querySelector("[aria-invalid]").focus();
      throw new Error("Look at what is marked.");
    }
    const sent = this.prices.filter((one) => one.changed);
    try {
      await work(this.values(sent));
    } catch (error) {
      this.show(own, sent, error.fields ?? {});
      throw error;
    }
  }

  // "prices.1.amount" arrives as an error of every part of that path: the number says which of the prices that were sent.
  show(own, sent, errors) {
    const ofPrice = sent.findIndex((_, i) => errors[i]);
    if (sent.length && (ofPrice >= 0 || errors.prices)) sent[Math.max(ofPrice, 0)].show(snake(errors));
    else for (const [name, one] of Object.entries(own)) if (errors[name]) one.error(errors[name]);
    this.element.querySelector("[aria-invalid]")?.focus();
  }
}

// The names of the limits, as the API writes them.
const snake = (errors) => Object.fromEntries(Object.entries(errors).map(([name, text]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), text]));
