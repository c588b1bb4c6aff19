// Who did what to which thing, newest first. An entry is read here and never changed.

import { api } from "../api.js";
import { chip, empty } from "../components/basics.js";
import { pagedList } from "../components/pagedlist.js";
import { h } from "../dom.js";
import { dateTime, words } from "../format.js";
import { mayAdminister, mayReadAudit, mayReadProducts } from "../session.js";
import { OUTCOME, outcomeState } from "../states.js";

const FILTERS = [
  { name: "actor", label: "Who" },
  { name: "action", label: "Action", placeholder: "user.create" },
  { name: "target_type", label: "Kind of target", placeholder: "deployment" },
  { name: "target_id", label: "Target" },
  { name: "outcome", label: "Outcome", choices: Object.entries(OUTCOME).map(([key, { label }]) => [key, label]) },
  { name: "from", label: "From", type: "date" },
  { name: "to", label: "Until", type: "date" },
];

// Where a target can be looked at, if there is such a page and the reader may open it.
const PLACES = {
  deployment: (id) => `#/instances/${encodeURIComponent(id)}`,
  server: (id) => `#/servers/${encodeURIComponent(id)}`,
  service_provider: () => mayAdminister() && "#/providers",
  cloud_resource: () => mayAdminister() && "#/inventory",
  product: () => mayReadProducts() && "#/products",
  user: () => mayAdminister() && "#/users",
};

// A day is a day where the reader is; the API compares moments.
const moment = (day, time) => (day ? new Date(`${day}T${time}`).toISOString() : "");

export function auditView({ query, signal }) {
  if (!mayReadAudit()) {
    return { title: "Audit", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "Audit"), empty("eye", "The audit log is shown to administrators and support")) };
  }
  const list = pagedList({
    title: "Audit", query, signal, filters: FILTERS, symbol: "eye", noun: "entries", testid: "audit",
    ask: async ({ from, to, ...rest }, signal) => {
      const reply = await api.audit({ ...rest, from: moment(from, "00:00:00.000"), to: moment(to, "23:59:59.999") }, signal);
      return { items: reply.entries, pagination: reply.pagination };
    },
    draw: table,
    none: () => empty("eye", "Nothing has been done yet", h("p", {}, "Every change leaves an entry here.")),
  });
  return { title: "Audit", element: h("div", { class: "stack" }, h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Audit")), list.element) };
}

function table(entries) {
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["When", "Who", "Action", "Target", "Outcome", "Details"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, entries.map((one) => h("tr", { testid: `entry-${one.id}` },
      h("td", { class: "left nowrap" }, h("time", { datetime: one.at }, dateTime(one.at))),
      h("td", { class: "left" }, h("b", { class: "break" }, one.actor), h("span", { class: "sub" }, words(one.role.toLowerCase()))),
      h("td", { class: "left break mono" }, one.action),
      h("td", { class: "left message" }, target(one)),
      h("td", { class: "left" }, chip(outcomeState(one.outcome))),
      h("td", { class: "left message" }, details(one))))));
}

function target({ target_type: kind, target_id: id }) {
  const href = id && PLACES[kind]?.(id);
  return [words(kind), id && h("span", { class: "sub break" }, href ? h("a", { href }, id) : id)];
}

function details(one) {
  const row = (label, text) => text && [h("dt", {}, label), h("dd", { class: "mono" }, text)];
  const told = Object.entries(one.details ?? {}).map(([key, value]) => row(words(key), typeof value === "string" ? value : JSON.stringify(value)));
  return h("details", { class: "fold" }, h("summary", {}, "Details", h("span", { class: "sr-only" }, ` of ${one.action} by ${one.actor}`)),
    h("dl", { class: "facts" }, told, row("Request", one.request_id), row("Address", one.ip)));
}
