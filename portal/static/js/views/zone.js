// One zone: its records, who keeps each, how changes go on as they happen, and what the name servers really answer.

import { busy, button, card, chip, copyButton, empty } from "../components/basics.js";
import { Head } from "../components/head.js";
import { livePage } from "../components/livepage.js";
import { pagedList } from "../components/pagedlist.js";
import { failed } from "../components/toast.js";
import { h, replace } from "../dom.js";
import { dateTime } from "../format.js";
import { serviceState } from "../salesstates.js";
import { mayChangeRecords, mayOperate, maySeeStaffPages } from "../session.js";
import { changeState, RECORD_TYPES, seenState, ttlText } from "../zonestates.js";
import { zones } from "../zonesapi.js";
import { askAgain, askRemoveRecords, editRecords } from "./recordform.js";
import { askRemoveZone, publishZone } from "./zoneform.js";
import { ZoneLook } from "./zonelook.js";

const EVERY = 5; // seconds between looks
const FILTERS = [
  { name: "search", label: "Search", placeholder: "Part of a name" },
  { name: "type", label: "Type", choices: RECORD_TYPES.map((type) => [type, type]) },
];

export function zoneView({ params, query, signal }) {
  return livePage({
    title: "Zone", noun: "zone", signal, every: EVERY, read: (signal) => zones.one(params.id, signal),
    build: (zone, again) => new ZonePage(zone, again, query, signal),
    over: (zone) => zone.status === "REMOVED",
  });
}

class ZonePage {
  constructor(zone, again, query, signal) {
    this.again = again;
    this.zone = zone;
    this.head = new Head("Zone");
    this.title = this.head.title;
    this.look = new ZoneLook();
    this.kept = h("div", { hidden: true });
    this.add = button("Add records", { symbol: "add", kind: "primary", testid: "add-records", on: { click: () => editRecords(this.zone, null, () => this.changed()).catch(failed) } });
    this.looking = button("Ask the name servers", { symbol: "eye", testid: "look", title: "What every authoritative server answers by now", on: { click: () => this.ask().catch(failed) } });
    this.tools = h("div", { class: "page-head section-head" }, h("h2", {}, "Records"), h("div", { class: "actions" }, this.looking, mayChangeRecords() && this.add));
    // What is gone has no records to show.
    this.list = zone.status === "REMOVED" ? null : this.records(query, signal);
    this.element = h("div", { class: "stack" }, this.head.element, this.list && this.tools, this.look.element, this.list?.element, this.kept);
  }

  records(query, signal) {
    return pagedList({
      title: "Records", query, signal, every: EVERY, limit: 50, filters: FILTERS, symbol: "globe", noun: "record sets", testid: "records",
      ask: async ({ search: q, ...filters }, signal) => {
        const reply = await zones.records(this.zone.id, { ...filters, q }, signal);
        return { items: reply.records.map((one) => ({ ...one, seen: this.look.of(one) })), pagination: reply.pagination };
      },
      draw: (records) => this.table(records),
      none: () => empty("globe", "No records yet", h("p", {}, "The zone answers for its own name servers only.")),
    });
  }

  async update(zone) {
    this.zone = zone;
    const { change } = zone;
    const going = change && change.state !== "published" && change.kind !== "set";
    this.head.update(zone.name, going ? changeState(change) : serviceState(zone.status), going ? change.message : "", [zone], () => ({
      under: h("span", { class: "muted" }, zone.serial ? `Serial ${zone.serial}` : "No serial yet"),
      facts: [
        ["Whose", maySeeStaffPages() && (zone.organization_name ?? "The office")], ["Kind", zone.kind],
        ["Subscription", zone.subscription_id && h("a", { href: `#/subscriptions/${zone.subscription_id}`, testid: "to-subscription" }, "Its subscription")],
        ["Last change", change && h("span", { testid: "last-change" }, chip(changeState(change)), h("span", { class: "sub" }, dateTime(change.created_at), change.requested_by && ` by ${change.requested_by}`))],
        ["Not as wished", zone.failed_sets > 0 && `${zone.failed_sets} ${zone.failed_sets === 1 ? "set" : "sets"}`],
      ],
      actions: zone.status === "REMOVED" ? [] : this.actions(zone),
    }));
    this.kept.hidden = !zone.last_export || zone.status !== "REMOVED";
    if (!this.kept.hidden && !this.kept.firstChild) replace(this.kept, lastExport(zone));
    if (zone.status === "REMOVED" && this.list) { this.list.element.hidden = this.tools.hidden = this.look.element.hidden = true; }
  }

  actions(zone) {
    if (!mayOperate()) return [];
    const publish = button("Publish again", { symbol: "retry", testid: "publish", title: "Bring the zone and everything its rows say to the name servers once more", on: { click: () => busy(publish, () => publishZone(zone, () => this.changed())).catch(failed) } });
    return [publish, !zone.subscription_id && button("Take away", { symbol: "trash", kind: "danger", testid: "remove-zone", on: { click: () => askRemoveZone(zone, this.again).catch(failed) } })];
  }

  changed() {
    this.again();
    this.list?.reload();
  }

  async ask() {
    await busy(this.looking, () => this.look.ask(this.zone));
    this.list.reload();
  }

  table(records) {
    const may = mayChangeRecords();
    return h("table", { class: "table records" },
      h("thead", {}, h("tr", {}, ["Name", "Values", "State", ...(may ? [h("span", { class: "sr-only" }, "Actions")] : [])].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, records.map((one) => h("tr", { testid: `record-${one.name}-${one.type}` },
        h("td", {}, h("b", { class: "break" }, one.name), h("span", { class: "sub" }, [one.type, one.ttl !== null && ttlText(one.ttl), this.keeper(one)].filter(Boolean).join(" · "))),
        h("td", { class: "left message break" }, one.values.length ? one.values.map((value) => h("div", { class: "mono small" }, value)) : h("span", { class: "muted" }, "Wanted no more")),
        h("td", { class: "left message" }, state(one)),
        may && h("td", { class: "end message" }, !one.managed && this.buttons(one))))));
  }

  // What runs of ours write is theirs; the rest was put there by whoever the zone belongs to.
  keeper(one) {
    if (one.managed) return "kept by Slipway";
    if (!maySeeStaffPages()) return "yours";
    return this.zone.organization_id ? "the customer's" : "the office's";
  }

  buttons(one) {
    const key = `${one.name}-${one.type}`;
    const changed = () => this.changed();
    const again = button("Try again", { kind: "small", symbol: "retry", testid: `again-${key}`, on: { click: () => busy(again, () => askAgain(this.zone, one, changed)).catch(failed) } });
    return h("div", { class: "actions" }, one.change?.state === "failed" && again,
      one.values.length > 0 && button("Change", { kind: "small", testid: `change-${key}`, on: { click: () => editRecords(this.zone, one, changed).catch(failed) } }),
      one.values.length > 0 && button("Take away", { kind: "small danger", testid: `remove-${key}`, on: { click: () => askRemoveRecords(this.zone, one, changed).catch(failed) } }));
  }
}

function state({ change, seen, values }) {
  const told = [];
  if (change) told.push(chip(changeState(change, !values.length)));
  if (seen) told.push(chip(seenState(seen.in_sync)));
  return [told.length ? h("div", { class: "chips" }, told) : h("span", { class: "muted" }, "As delivered"),
    change?.state === "failed" && h("span", { class: "sub" }, change.message, change.settled_by && ` Settled by ${change.settled_by}.`), seen?.difference && h("span", { class: "sub" }, `At the name server: ${seen.difference}`)];
}

const lastExport = (zone) => card("Its last export", { sub: "The zone file as it was when the zone was taken away.", tools: copyButton("Copy the zone file", zone.last_export), testid: "last-export",
  body: h("pre", { class: "card-body small mono break" }, zone.last_export) });
