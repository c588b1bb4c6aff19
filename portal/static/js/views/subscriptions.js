// Every subscription: whose, how it stands, and what comes next by itself.

import { chip, empty } from "../components/basics.js";
import { pagedList } from "../components/pagedlist.js";
import { h } from "../dom.js";
import { dateTime, now } from "../format.js";
import { sales } from "../salesapi.js";
import { choices, NEXT, SUBSCRIPTION, subscriptionState } from "../salesstates.js";
import { maySeeStaffPages } from "../session.js";

const EVERY = 15; // seconds between looks
const FILTERS = () => [
  { name: "search", label: "Search", placeholder: "E-mail, domain, or a whole subscription id" },
  { name: "status", label: "State", choices: choices(SUBSCRIPTION) },
  ...(maySeeStaffPages() ? [{ name: "tenant", label: "Tenant", placeholder: "Its short name" }] : []),
];

export function subscriptionsView({ query, signal }) {
  const list = pagedList({
    title: "Subscriptions", query, signal, every: EVERY, filters: FILTERS(), symbol: "anchor", noun: "subscriptions", testid: "subscriptions",
    ask: async ({ search: q, ...filters }, signal) => {
      const reply = await sales.subscriptions({ ...filters, q }, signal);
      return { items: reply.subscriptions, pagination: reply.pagination };
    },
    draw: table,
    none: () => empty("anchor", "No subscriptions yet", h("p", {}, "Each paid order makes one.")),
  });
  return { title: "Subscriptions", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "Subscriptions"), list.element) };
}

function table(subscriptions) {
  const staff = maySeeStaffPages();
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["Subscription", "State", ...(staff ? ["Tenant"] : []), "Next"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, subscriptions.map((one) => h("tr", { "data-row": one.id, testid: `subscription-${one.id}` },
      h("td", {}, h("a", { class: "row-link break", href: `#/subscriptions/${one.id}` }, one.domain || one.customer_email), h("span", { class: "sub" }, one.domain ? one.customer_email : "A name of the platform")),
      h("td", {}, chip(subscriptionState(one.status))),
      staff && h("td", { class: "left hide-small" }, one.tenant),
      h("td", { class: "left message" }, nextOf(one))))));
}

// What comes by itself, and when; a moment that has passed is seen to by the next sweep.
export function nextOf(one) {
  if (one.ended_at) return [h("span", { class: "muted" }, "Ended "), h("time", { datetime: one.ended_at }, dateTime(one.ended_at))];
  if (!one.next) return h("span", { class: "muted" }, "Nothing by itself");
  const late = Date.parse(one.next.at) < now();
  return [h("b", {}, NEXT[one.next.what] ?? one.next.what), " ", h("time", { datetime: one.next.at, class: "nowrap" }, dateTime(one.next.at)), late && h("span", { class: "sub" }, "due by now")];
}
