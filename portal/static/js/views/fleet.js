// The fleet: what waits for a decision first, then every instance, and the servers with their places.

import { api } from "../api.js";
import { everySecond, repeat } from "../clock.js";
import { button, card, chip, empty, skeleton } from "../components/basics.js";
import { pagedList } from "../components/pagedlist.js";
import { failed } from "../components/toast.js";
import { h, replace } from "../dom.js";
import { brief, dateTime, money, since, words } from "../format.js";
import { mayOperate } from "../session.js";
import { instanceState, isBare, modelName } from "../states.js";
import { attentionList } from "./attention.js";
import { berthList } from "./berths.js";

const EVERY = 20; // seconds between looks
const FILTERS = [
  { name: "search", label: "Search", placeholder: "Organization or name" },
  { name: "status", label: "Status", choices: [["provisioning", "Provisioning"], ["vps_ready", "Server ready"], ["deploying", "Deploying"], ["active", "Active"], ["failed", "Failed"]] },
  { name: "attention", label: "Attention", choices: [["awaiting_operator", "Needs a decision"], ["escalated", "Overdue"], ["none", "None"]] },
  { name: "deployment_type", label: "Model", choices: [["shared", "Shared"], ["dedicated", "Dedicated"], ["server", "Bare server"]] },
  { name: "tier", label: "Tier", choices: [["starter", "Starter"], ["professional", "Professional"], ["enterprise", "Enterprise"]] },
];

export function fleetView({ query, signal }) {
  const attention = h("div", { class: "wide", hidden: true });
  const servers = h("div", {}, skeleton("60%", "80%"));
  const order = (testid) => mayOperate() && button("New instance", { href: "#/new", kind: "primary", symbol: "add", testid });
  const list = pagedList({
    title: "Instances", query, signal, every: EVERY, filters: FILTERS, symbol: "anchor", noun: "instances", testid: "instances",
    ask: async (filters, signal) => {
      const reply = await api.instances(filters, signal);
      return { items: reply.instances, pagination: reply.pagination };
    },
    draw: table,
    none: () => empty("ship", "The harbour is empty", h("p", {}, "The first instance you order shows up here."), order()),
  });

  const quiet = (error) => { if (error.status !== 401 && error.status !== 429) failed(error); };
  repeat(async () => {
    const { items = [], temporal } = await api.attention(signal);
    attention.hidden = items.length === 0 && !temporal?.message;
    attentionList(attention, items, temporal?.message ?? "");
  }, EVERY, signal, (error) => { if (error.status !== 403) quiet(error); });
  repeat(async () => berthList(servers, await api.servers({}, signal), signal), EVERY, signal, (error) => {
    if (error.status === 403) replace(servers, empty("server", "Servers are shown to operators"));
    else quiet(error);
  });
  everySecond(() => { for (const cell of document.querySelectorAll("[data-since]")) { const text = brief(since(cell.dataset.since)); if (cell.textContent !== text) cell.textContent = text; } }, signal);

  return {
    title: "Fleet",
    element: h("div", { class: "stack" },
      h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Fleet"), order("new-instance")),
      h("div", { class: "fleet" }, attention, list.element,
        card("Berths", { sub: "Servers, and the places on them", body: servers, testid: "servers" }))),
  };
}

// A bare server has an owner and no address by name.
const named = (one) => (isBare(one) ? one.vps_name ?? one.slug : one.organization_name ?? one.slug);
const addressOf = (one) => (isBare(one) ? one.organization_name : (one.fqdn || one.access_url || one.slug).replace(/^https:\/\//, ""));

function table(instances) {
  const head = ["Organization", "State", "Model", "Server", "Price / month", "Age"];
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, head.map((text, i) => h("th", { scope: "col", class: i >= 4 ? "end" : undefined }, text)))),
    h("tbody", {}, instances.map((one) => h("tr", { "data-row": one.id, testid: `instance-${one.slug}` },
      h("td", {}, h("a", { class: "row-link", href: `#/instances/${one.id}` }, named(one)), h("span", { class: "sub" }, addressOf(one))),
      h("td", {}, chip(instanceState(one), { testid: "status-chip" })),
      h("td", { class: "left" }, modelName(one.deployment_type), !isBare(one) && h("span", { class: "sub" }, words(one.tier))),
      h("td", { class: "hide-small" }, one.vps?.name ?? one.vps?.vps_name ?? one.vps_name ?? "–"),
      h("td", { class: "end nowrap hide-small" }, money(one.price_cents_month, one.currency)),
      h("td", { class: "end nowrap muted" }, h("time", { datetime: one.created_at, title: dateTime(one.created_at), "data-since": one.created_at }, brief(since(one.created_at))))))));
}
