// The fleet: what waits for a decision first, then every instance, and the servers with their places.

import { api } from "../api.js";
import { everySecond, repeat } from "../clock.js";
import { button, card, chip, empty, skeleton } from "../components/basics.js";
import { field, select } from "../components/field.js";
import { failed } from "../components/toast.js";
import { h, replace } from "../dom.js";
import { brief, dateTime, money, since, words } from "../format.js";
import { keepQuery } from "../router.js";
import { mayOperate } from "../session.js";
import { instanceState, isBare, modelName } from "../states.js";
import { attentionList } from "./attention.js";
import { berthList } from "./berths.js";

const EVERY = 20; // seconds between looks
const PAGE = 25;
const FILTERS = ["search", "status", "attention", "deployment_type", "tier"];

export function fleetView({ query, signal }) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query[name] ?? ""]));
  let page = Math.max(1, Number(query.page) || 1);
  let shown = "";
  let turn = 0;

  const list = h("div", { testid: "instances", "aria-busy": "true" }, skeleton("70%", "90%", "60%", "80%"));
  const attention = h("div", { class: "wide", hidden: true });
  const servers = h("div", {}, skeleton("60%", "80%"));

  const load = async () => {
    const mine = ++turn;
    const reply = await api.instances({ ...filters, page, limit: PAGE }, signal);
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

  const nothing = () => (Object.values(filters).some(Boolean)
    ? empty("anchor", "No instance fits these filters", button("Clear the filters", { on: { click: () => {
      for (const [name, control] of Object.entries(controls)) { filters[name] = ""; control.value = ""; }
      page = 1;
      changed();
    } } }))
    : empty("ship", "The harbour is empty", h("p", {}, "The first instance you order shows up here."), mayOperate() && button("New instance", { href: "#/new", kind: "primary", symbol: "add" })));

  const pager = ({ page: at, totalPages, total, hasNext, hasPrev }) => {
    const move = (by) => () => { page = at + by; changed(); };
    return h("nav", { class: "pager", "aria-label": "Pages" }, h("span", { class: "muted small" }, `Page ${at} of ${totalPages}, ${total} instances`),
      h("div", { class: "actions" }, button("Previous", { kind: "small", disabled: !hasPrev, on: { click: move(-1) } }), button("Next", { kind: "small", disabled: !hasNext, on: { click: move(1) } })));
  };

  const controls = filterControls(filters, () => { page = 1; changed(); }, signal);

  const quiet = (error) => { if (error.status !== 401 && error.status !== 429) failed(error); };
  repeat(load, EVERY, signal, quiet);
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
      h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Fleet"), mayOperate() && button("New instance", { href: "#/new", kind: "primary", symbol: "add", testid: "new-instance" })),
      h("div", { class: "fleet" }, attention,
        h("section", { class: "card", "aria-label": "Instances" },
          h("div", { class: "filters", role: "search" }, Object.values(controls).map((one) => one.element)), list),
        card("Berths", { sub: "Servers, and the places on them", body: servers, testid: "servers" }))),
  };
}

function filterControls(filters, changed, signal) {
  const search = field("Search", { name: "search", type: "search", value: filters.search, placeholder: "Organization or name", testid: "filter-search" });
  search.element.classList.add("search");
  let pause = null;
  search.control.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => { filters.search = search.value.trim(); changed(); }, 250);
  });
  signal.addEventListener("abort", () => clearTimeout(pause));
  const choice = (name, label, values) => {
    const control = select(label, [["", "All"], ...values.map((value) => (Array.isArray(value) ? value : [value, words(value)]))], { name, value: filters[name], testid: `filter-${name}` });
    control.control.addEventListener("change", () => { filters[name] = control.value; changed(); });
    return control;
  };
  return {
    search,
    status: choice("status", "Status", ["provisioning", ["vps_ready", "Server ready"], "deploying", "active", "failed"]),
    attention: choice("attention", "Attention", [["awaiting_operator", "Needs a decision"], ["escalated", "Overdue"], ["none", "None"]]),
    deployment_type: choice("deployment_type", "Model", ["shared", "dedicated", ["server", "Bare server"]]),
    tier: choice("tier", "Tier", ["starter", "professional", "enterprise"]),
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
