// The servers of the house: how much room each has, whether it takes something new, and how its set-up stands.

import { button, chip, empty } from "../components/basics.js";
import { pagedList } from "../components/pagedlist.js";
import { room } from "../components/room.js";
import { failed } from "../components/toast.js";
import { h } from "../dom.js";
import { sales } from "../salesapi.js";
import { choices, HOUSE_SERVER, houseServerState, jobState, SERVER_TYPES } from "../salesstates.js";
import { mayOperate } from "../session.js";
import { registerServer } from "./houseserverform.js";

const FILTERS = [
  { name: "type", label: "Type", choices: SERVER_TYPES },
  { name: "status", label: "State", choices: choices(HOUSE_SERVER) },
];
export const typeName = (type) => SERVER_TYPES.find(([key]) => key === type)?.[1] ?? type;

export function houseServersView({ query, signal }) {
  if (!mayOperate()) {
    return { title: "House servers", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "House servers"), empty("server", "Servers of the house are shown to operators")) };
  }
  const list = pagedList({
    title: "House servers", query, signal, filters: FILTERS, symbol: "server", noun: "servers", testid: "house-servers",
    ask: async (filters, signal) => {
      const reply = await sales.houseServers(filters, signal);
      return { items: reply.servers, pagination: reply.pagination };
    },
    draw: table,
    none: () => empty("server", "No servers of the house yet", h("p", {}, "Sites, mailboxes and zones are delivered on servers that are registered here.")),
  });
  const add = button("Register a server", { symbol: "add", kind: "primary", testid: "register-server", on: { click: () => registerServer(list.reload).catch(failed) } });
  return { title: "House servers", element: h("div", { class: "stack" }, h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "House servers"), add), list.element) };
}

function table(servers) {
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["Server", "State", "Room", "Set-up"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, servers.map((one) => h("tr", { testid: `house-${one.hostname}` },
      h("td", {}, h("a", { class: "row-link break", href: `#/house-servers/${one.id}` }, one.hostname), h("span", { class: "sub" }, `${typeName(one.type)} · ${one.ip_address}`)),
      h("td", {}, chip(houseServerState(one.status))),
      h("td", { class: "left message" }, room(one)),
      h("td", { class: "left message" }, one.set_up ? [chip(jobState(one.set_up)), h("span", { class: "sub" }, one.set_up.parked[0]?.message ?? one.set_up.status_message ?? "")] : h("span", { class: "muted" }, "None yet"))))));
}
