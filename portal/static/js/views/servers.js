// Every server, at whichever cloud: where it is, how it fares, what was asked of it last, and what it costs.

import { api } from "../api.js";
import { repeat } from "../clock.js";
import { cloudName, CLOUDS, specsText } from "../clouds.js";
import { button, chip, empty, skeleton } from "../components/basics.js";
import { select } from "../components/field.js";
import { failed } from "../components/toast.js";
import { h, replace } from "../dom.js";
import { dateTime, money, words } from "../format.js";
import { keepQuery } from "../router.js";
import { mayOrderServers } from "../session.js";
import { actionState, SERVER, serverState } from "../states.js";

const EVERY = 10; // seconds between looks
const PAGE = 25;
const LIVES = ["pending", "provisioning", "active", "terminating", "terminated", "failed"];

export function serversView({ query, signal }) {
  const filters = { provider_type: query.provider_type ?? "", lifecycle: query.lifecycle ?? "" };
  let page = Math.max(1, Number(query.page) || 1);
  let shown = "";
  let turn = 0;
  const list = h("div", { testid: "servers-list", "aria-busy": "true" }, skeleton("70%", "90%", "60%"));

  const load = async () => {
    const mine = ++turn;
    const reply = await api.vpsList({ ...filters, page, limit: PAGE }, signal);
    if (mine !== turn) return; // a newer filter is being answered
    list.setAttribute("aria-busy", "false");
    const text = JSON.stringify([reply.instances, reply.pagination]);
    if (text === shown) return;
    shown = text;
    const focused = document.activeElement?.closest?.("[data-row]")?.dataset.row;
    replace(list, reply.instances.length ? table(reply.instances) : nothing(), reply.pagination.totalPages > 1 && pager(reply.pagination));
    if (focused) list.querySelector(`[data-row="${CSS.escape(focused)}"] .row-link`)?.focus({ preventScroll: true });
  };
  const changed = () => {
    keepQuery({ ...filters, page: page > 1 ? page : "" });
    list.setAttribute("aria-busy", "true");
    load().catch((error) => { if (!signal.aborted) failed(error); });
  };
  const order = () => mayOrderServers() && button("New server", { href: "#/servers/new", kind: "primary", symbol: "add" });

  const nothing = () => (Object.values(filters).some(Boolean)
    ? empty("server", "No server fits these filters", button("Clear the filters", { on: { click: () => {
      for (const [name, control] of Object.entries(controls)) { filters[name] = ""; control.value = ""; }
      page = 1;
      changed();
    } } }))
    : empty("server", "No servers yet", h("p", {}, "A server stands here from the moment it is ordered until it is deleted."), order()));

  const pager = ({ page: at, totalPages, total, hasNext, hasPrev }) => {
    const move = (by) => () => { page = at + by; changed(); };
    return h("nav", { class: "pager", "aria-label": "Pages" }, h("span", { class: "muted small" }, `Page ${at} of ${totalPages}, ${total} servers`),
      h("div", { class: "actions" }, button("Previous", { kind: "small", disabled: !hasPrev, on: { click: move(-1) } }), button("Next", { kind: "small", disabled: !hasNext, on: { click: move(1) } })));
  };

  const choice = (name, label, values) => {
    const control = select(label, values, { name, value: filters[name], testid: `filter-${name}` });
    control.control.addEventListener("change", () => { filters[name] = control.value; page = 1; changed(); });
    return control;
  };
  const controls = {
    provider_type: choice("provider_type", "Cloud", [["", "All"], ...Object.keys(CLOUDS).map((kind) => [kind, cloudName(kind)])]),
    lifecycle: choice("lifecycle", "State", [["", "All that live"], ...LIVES.map((name) => [name, SERVER[name].label])]),
  };

  repeat(load, EVERY, signal, (error) => { if (error.status !== 401 && error.status !== 429) failed(error); });
  return {
    title: "Servers",
    element: h("div", { class: "stack" },
      h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Servers"), mayOrderServers() && button("New server", { href: "#/servers/new", kind: "primary", symbol: "add", testid: "new-server" })),
      h("section", { class: "card", "aria-label": "Servers" }, h("div", { class: "filters", role: "search" }, Object.values(controls).map((one) => one.element)), list)),
  };
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
