// Every paid order: whose, of what, how much, and whether it was delivered.

import { chip, empty } from "../components/basics.js";
import { pagedList } from "../components/pagedlist.js";
import { h } from "../dom.js";
import { dateTime, price } from "../format.js";
import { sales } from "../salesapi.js";
import { choices, ORDER, orderState } from "../salesstates.js";
import { maySeeStaffPages } from "../session.js";

const EVERY = 15; // seconds between looks
const FILTERS = () => [
  { name: "search", label: "Search", placeholder: "E-mail, domain, or a whole payment id" },
  { name: "status", label: "State", choices: choices(ORDER) },
  ...(maySeeStaffPages() ? [{ name: "tenant", label: "Tenant", placeholder: "Its short name" }] : []),
];

export function ordersView({ query, signal }) {
  const list = pagedList({
    title: "Orders", query, signal, every: EVERY, filters: FILTERS(), symbol: "cart", noun: "orders", testid: "orders",
    ask: async ({ search: q, ...filters }, signal) => {
      const reply = await sales.orders({ ...filters, q }, signal);
      return { items: reply.orders, pagination: reply.pagination };
    },
    draw: table,
    none: () => empty("cart", "Nothing was ordered yet", h("p", {}, "A paid order stands here from the moment it is told of.")),
  });
  return { title: "Orders", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "Orders"), list.element) };
}

export const orderName = (order) => order.domain || order.customer_email;

function table(orders) {
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["Order", "State", "Tenant", "Total", "Created"].map((text, i) => h("th", { scope: "col", class: i >= 3 ? "end" : undefined }, text)))),
    h("tbody", {}, orders.map((one) => h("tr", { "data-row": one.id, testid: `order-${one.id}` },
      h("td", {}, h("a", { class: "row-link break", href: `#/orders/${one.id}` }, orderName(one)), h("span", { class: "sub" }, one.domain ? one.customer_email : "A name of the platform")),
      h("td", {}, chip(orderState(one.status))),
      h("td", { class: "left" }, one.tenant),
      h("td", { class: "end nowrap" }, price(one.total_amount, one.currency)),
      h("td", { class: "end nowrap muted hide-small" }, h("time", { datetime: one.created_at }, dateTime(one.created_at)))))));
}
