// What is sold and at what price. Billing reads it; administrators change it.

import { api } from "../api.js";
import { button, chip, empty } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { pagedList } from "../components/pagedlist.js";
import { failed, said } from "../components/toast.js";
import { h } from "../dom.js";
import { price } from "../format.js";
import { mayAdminister, mayReadProducts } from "../session.js";
import { productState } from "../states.js";
import { INTERVALS, LIMITS } from "./priceform.js";
import { editProduct, TYPES } from "./productform.js";

const FILTERS = [
  { name: "search", label: "Search", placeholder: "Name or short name" },
  { name: "type", label: "Type", choices: TYPES },
  { name: "active", label: "State", choices: [["true", "Offered"], ["false", "Retired"]] },
];
const wordOf = (pairs, key) => pairs.find(([one]) => one === key)?.[1] ?? key;

export function productsView({ query, signal }) {
  if (!mayReadProducts()) {
    return { title: "Products", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "Products"), empty("tag", "Products are shown to administrators and billing")) };
  }
  const list = pagedList({
    title: "Products", query, signal, filters: FILTERS, symbol: "tag", noun: "products", testid: "products",
    ask: async (filters, signal) => {
      const reply = await api.products(filters, signal);
      return { items: reply.products, pagination: reply.pagination };
    },
    draw: (products) => table(products, list.reload),
    none: () => empty("tag", "Nothing is sold yet", mayAdminister() && h("p", {}, "Add a product and its prices.")),
  });
  const add = mayAdminister() && button("Add product", { symbol: "add", kind: "primary", testid: "add-product", on: { click: () => editProduct(null, list.reload).catch(failed) } });
  return { title: "Products", element: h("div", { class: "stack" }, h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Products"), add), list.element) };
}

function table(products, reload) {
  const head = ["Product", "Type", "State", "Prices", ...(mayAdminister() ? [""] : [])];
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, head.map((text, i) => h("th", { scope: "col", class: i === 4 ? "end" : undefined }, text)))),
    h("tbody", {}, products.map((one) => h("tr", { testid: `product-${one.slug}` },
      h("td", { class: "left" }, h("b", { class: "break" }, one.name), h("span", { class: "sub" }, [one.slug, one.description].filter(Boolean).join(" · "))),
      h("td", { class: "left" }, wordOf(TYPES, one.type)),
      h("td", { class: "left" }, chip(productState(one.active))),
      h("td", { class: "left message" }, prices(one)),
      mayAdminister() && h("td", { class: "end message" }, h("div", { class: "actions" },
        button("Edit", { kind: "small", testid: `edit-${one.slug}`, on: { click: () => editProduct(one, reload).catch(failed) } }),
        one.active && button("Retire", { kind: "small danger", testid: `retire-${one.slug}`, on: { click: () => askRetire(one, reload).catch(failed) } })))))));
}

function prices(one) {
  const offered = one.prices.filter((each) => each.active);
  if (!offered.length) return h("span", { class: "muted" }, "No price");
  return h("ul", {}, offered.map((each) => h("li", {}, h("b", { class: "nowrap" }, price(each.amount, each.currency)), ` ${wordOf(INTERVALS, each.interval).toLowerCase()}`,
    h("span", { class: "sub" }, limits(each.limits)))));
}

const limits = (told) => LIMITS.filter(([name]) => Number.isInteger(told?.[name])).map(([name, label]) => `${label} ${told[name]}`).join(" · ");

async function askRetire(one, reload) {
  const yes = await ask({
    title: `Retire ${one.name}?`, symbol: "trash", tone: "bad", yes: "Retire it", testid: "retire-dialog",
    body: h("p", {}, "It is no longer offered. What was sold of it runs on at its price."),
    act: () => api.retireProduct(one.id),
  });
  if (!yes) return;
  said(`${one.name} is retired.`);
  await reload();
}
