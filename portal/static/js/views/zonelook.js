// What the name servers answer, beside what is wanted: asked for on demand, and forgotten of a set once that changes.

import { card, chip, iconButton } from "../components/basics.js";
import { h, replace } from "../dom.js";
import { clockTime, now } from "../format.js";
import { entry } from "../states.js";
import { zones } from "../zonesapi.js";

const MOST = 500; // sets that one look tells of
const stateOf = (one) => JSON.stringify([one.ttl, one.values, one.change?.id, one.change?.state]);

export class ZoneLook {
  constructor() {
    this.element = h("div", { hidden: true });
    this.forget();
  }

  forget() {
    this.seen = new Map();
    this.element.hidden = true;
    replace(this.element);
  }

  // What was seen of a set, or null: not looked at, or changed since.
  of(one) {
    const found = this.seen.get(`${one.name} ${one.type}`);
    return found && found.state === stateOf(one) && found.in_sync !== null ? { in_sync: found.in_sync, difference: found.difference } : null;
  }

  async ask(zone) {
    const { records, check, pagination } = await zones.records(zone.id, { check: true, limit: MOST });
    this.seen = new Map(records.map((one) => [`${one.name} ${one.type}`, { state: stateOf(one), in_sync: one.in_sync, difference: one.difference }]));
    const differing = records.filter((one) => one.in_sync === false).length;
    const close = iconButton("Close", "close", { testid: "look-close", on: { click: () => { this.forget(); document.querySelector('[data-testid="look"]')?.focus(); } } });
    this.element.hidden = false;
    replace(this.element, card("At the name servers", { sub: `Asked at ${clockTime(now())}`, tools: close, testid: "look-answer", body: h("dl", { class: "facts card-body" },
      row("Serial", check.serial === null ? "None" : String(check.serial)),
      row("Published", check.behind ? chip(entry("Not everywhere", "bad", "alert")) : chip(entry("At every server", "ok", "check")), h("span", { class: "sub" }, check.behind || check.published)),
      row("As wanted", differing ? `${differing} ${differing === 1 ? "set differs" : "sets differ"}, see below` : "Every set", pagination.total > records.length && ` of the first ${records.length}`),
      row("Not ours", check.unlisted.length ? h("ul", { class: "plain", testid: "unlisted" }, check.unlisted.map((one) => h("li", { class: "break mono small" }, one))) : "Nothing else is there")) }));
  }
}

const row = (label, ...value) => [h("dt", {}, label), h("dd", {}, value)];
