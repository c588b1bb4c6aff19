// Where to order instead if there is no room: other clouds and regions, tried in this order.

import { cloudName } from "../clouds.js";
import { h, replace } from "../dom.js";
import { button, iconButton } from "./basics.js";
import { fillSelect, select } from "./field.js";

const MOST = 5;

export class Fallbacks {
  constructor(providers) {
    this.providers = providers;
    this.rows = [];
    this.list = h("ol", { class: "fallbacks", testid: "fallbacks" });
    this.more = button("Also try another place", { kind: "small", symbol: "add", testid: "add-fallback", on: { click: () => this.add() } });
    this.element = h("div", { class: "stack" }, h("p", { class: "hint" }, "If there is no room, these places are tried, in this order. Nothing is paid before a place has room."), this.list, h("div", {}, this.more));
  }

  add() {
    const provider = select("Cloud", this.providers.map((one) => [one.name, cloudName(one.name)]), { name: "fallback-provider", testid: "fallback-provider" });
    const region = select("Region", [], { name: "fallback-region", testid: "fallback-region" });
    const fill = () => fillSelect(region.control, [["", "The cloud's default"], ...(this.providers.find((one) => one.name === provider.value)?.regions ?? []).map((name) => [name, name])], "");
    provider.control.addEventListener("change", fill);
    fill();
    const row = { provider, region, up: iconButton("Try this place earlier", "up", { testid: "fallback-up", on: { click: () => this.earlier(row) } }) };
    const remove = iconButton("Remove this place", "close", { testid: "fallback-remove", on: { click: () => this.remove(row) } });
    row.element = h("li", {}, h("div", { class: "two" }, provider.element, region.element), h("div", { class: "fallback-tools" }, row.up, remove));
    this.rows.push(row);
    this.draw();
    provider.control.focus();
  }

  remove(row) {
    this.rows.splice(this.rows.indexOf(row), 1);
    this.draw();
    this.more.focus();
  }

  earlier(row) {
    const at = this.rows.indexOf(row);
    this.rows.splice(at - 1, 2, row, this.rows[at - 1]);
    this.draw();
    (row.up.disabled ? row.provider.control : row.up).focus();
  }

  draw() {
    replace(this.list, this.rows.map((row) => row.element));
    this.rows.forEach((row, i) => { row.up.disabled = i === 0; });
    this.more.disabled = this.rows.length >= MOST;
  }

  value() {
    return this.rows.map(({ provider, region }) => ({ provider: provider.value, ...(region.value ? { region: region.value } : {}) }));
  }

  clear() {
    for (const { provider, region } of this.rows) for (const one of [provider, region]) one.error("");
  }

  // True where one of these places is what was refused; `fields` as of ApiError.
  refused(fields) {
    if (!fields.fallbacks) return false;
    const row = this.rows.find((_, i) => fields[String(i)]) ?? this.rows[0];
    row?.[fields.provider ? "provider" : "region"].error(fields.fallbacks);
    return Boolean(row);
  }
}
