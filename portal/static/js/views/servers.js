// Every server, at whichever cloud: where it is, how it fares, what was asked of it last, and what it costs.

import { api } from "../api.js";
import { cloudName, CLOUDS, specsText } from "../clouds.js";
import { button, chip, empty } from "../components/basics.js";
import { pagedList } from "../components/pagedlist.js";
import { h } from "../dom.js";
import { dateTime, money, words } from "../format.js";
import { mayOrderServers } from "../session.js";
import { actionState, SERVER, serverState } from "../states.js";

const EVERY = 10; // seconds between looks
const LIVES = ["pending", "provisioning", "active", "terminating", "terminated", "failed"];

const FILTERS = [
  { name: "provider_type", label: "Cloud", choices: Object.keys(CLOUDS).map((kind) => [kind, cloudName(kind)]) },
  { name: "lifecycle", label: "State", all: "All that live", choices: LIVES.map((name) => [name, SERVER[name].label]) },
];

export function serversView({ query, signal }) {
  const order = (testid) => mayOrderServers() && button("New server", { href: "#/servers/new", kind: "primary", symbol: "add", testid });
  const list = pagedList({
    title: "Servers", query, signal, every: EVERY, filters: FILTERS, symbol: "server", noun: "servers", testid: "servers-list",
    ask: async (filters, signal) => {
      const reply = await api.vpsList(filters, signal);
      return { items: reply.instances, pagination: reply.pagination };
    },
    draw: table,
    none: () => empty("server", "No servers yet", h("p", {}, "A server stands here from the moment it is ordered until it is deleted."), order()),
  });
  return { title: "Servers", element: h("div", { class: "stack" }, h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Servers"), order("new-server")), list.element) };
}

function table(servers) {
  const head = ["Server", "State", "Size", "Address", "Newest action", "Price / month"];
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, head.map((text, i) => h("th", { scope: "col", class: i === 5 ? "end" : undefined }, text)))),
    h("tbody", {}, servers.map((one) => h("tr", { "data-row": one.id, testid: `vps-${one.label}` },
      h("td", {}, h("a", { class: "row-link break", href: `#/servers/${one.id}` }, one.label), h("span", { class: "sub" }, [cloudName(one.provider_type), one.region].filter(Boolean).join(", "))),
      h("td", {}, chip(serverState(one), { testid: "server-chip" })),
      h("td", { class: "left hide-small" }, one.type || "–", h("span", { class: "sub" }, specsText(one.plan_specs))),
      h("td", { class: "left break" }, one.ip_address ?? h("span", { class: "muted" }, "No address yet")),
      h("td", { class: "left hide-small" }, action(one.newest_action)),
      h("td", { class: "end nowrap" }, money(one.monthly_rate === null ? null : one.monthly_rate * 100, one.currency))))));
}

function action(one) {
  if (!one) return h("span", { class: "muted" }, "None");
  const at = one.ended_at ?? one.created_at;
  return [words(one.action), h("span", { class: "sub" }, `${actionState(one.state).label}, `, h("time", { datetime: at }, dateTime(at)))];
}
