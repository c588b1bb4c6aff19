// Zones at our name servers: whose each is, how it stands, and what of it is not as it was wished.

import { button, chip, empty } from "../components/basics.js";
import { pagedList } from "../components/pagedlist.js";
import { failed } from "../components/toast.js";
import { h } from "../dom.js";
import { dateTime } from "../format.js";
import { choices, SERVICE, serviceState } from "../salesstates.js";
import { mayOperate, maySeeStaffPages } from "../session.js";
import { zones } from "../zonesapi.js";
import { changeState } from "../zonestates.js";
import { addZone } from "./zoneform.js";

const EVERY = 15; // seconds between looks
const STATES = choices(SERVICE).filter(([name]) => name !== "RESERVED");
const FILTERS = [
  { name: "search", label: "Search", placeholder: "Part of a zone's name" },
  { name: "status", label: "State", choices: STATES, all: "All that are there" },
];

export function zonesView({ query, signal }) {
  const list = pagedList({
    title: "Zones", query, signal, every: EVERY, filters: FILTERS, symbol: "globe", noun: "zones", testid: "zones",
    ask: async ({ search: q, ...filters }, signal) => {
      const reply = await zones.list({ ...filters, q }, signal);
      return { items: reply.zones, pagination: reply.pagination };
    },
    draw: table,
    none: () => empty("globe", "No zones yet", h("p", {}, "Each order with DNS makes one.")),
  });
  const add = mayOperate() && button("Add a zone", { symbol: "add", kind: "primary", testid: "add-zone", on: { click: () => addZone(list.reload).catch(failed) } });
  return { title: "Zones", element: h("div", { class: "stack" }, h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Zones"), add), list.element) };
}

function table(found) {
  const staff = maySeeStaffPages();
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["Zone", "State", ...(staff ? ["Whose"] : []), "Last change"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, found.map((one) => h("tr", { "data-row": one.id, testid: `zone-${one.name}` },
      h("td", {}, h("a", { class: "row-link break", href: `#/zones/${one.id}` }, one.name), h("span", { class: "sub" }, one.serial ? `Serial ${one.serial}` : "No serial yet")),
      h("td", {}, chip(serviceState(one.status))),
      staff && h("td", { class: "left break hide-small" }, one.organization_name ?? h("span", { class: "muted" }, "The office")),
      h("td", { class: "left message" }, lastChange(one))))));
}

function lastChange({ change, failed_sets: failing }) {
  if (failing) return [chip({ ...changeState({ kind: "set", state: "failed" }), label: failing === 1 ? "1 set is not as wished" : `${failing} sets are not as wished` }), change && when(change)];
  return change ? [chip(changeState(change)), when(change)] : h("span", { class: "muted" }, "As it was delivered");
}

const when = (change) => h("span", { class: "sub" }, [change.name && `${change.name} ${change.type}`, dateTime(change.created_at), change.requested_by && `by ${change.requested_by}`].filter(Boolean).join(" · "));
