// One record set of a zone: added, changed, taken away, or asked for again after a failure.

import { ask } from "../components/dialog.js";
import { field, select } from "../components/field.js";
import { h } from "../dom.js";
import { RECORD_TYPES } from "../zonestates.js";
import { zones } from "../zonesapi.js";
import { toldOf } from "./zoneform.js";

const DEFAULT_TTL = 3600; // seconds
const HINTS = {
  A: "IPv4 addresses, such as 192.0.2.1", AAAA: "IPv6 addresses, such as 2001:db8::1", CAA: 'Such as 0 issue "letsencrypt.org"',
  CNAME: "One name, such as www.example.net", MX: "Priority and host, such as 10 mail.example.net", NS: "Names of name servers",
  PTR: "Names of hosts", SRV: "Priority, weight, port and host, such as 10 5 443 www.example.net", TLSA: "Usage, selector, matching and data, such as 3 1 1 and 64 digits",
  TXT: "Text as it is, without quotes",
};
const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
const keyOf = (one) => `${one.name} ${one.type}`;

// `changed` is told of every attempt that may have written something: also a refused publication is a row.
export async function editRecords(zone, one, changed) {
  const form = new Form(zone, one);
  let reply = null;
  const yes = await ask({
    title: one ? `Change ${keyOf(one)}` : "Add records", symbol: "globe", tone: "run", yes: one ? "Save" : "Add", kind: "primary", testid: "record-dialog", body: form.element,
    act: async () => { reply = await form.send(changed); },
  });
  if (!yes) return;
  toldOf(reply.change, `${keyOf(reply.record)} is published at every name server.`, `${keyOf(reply.record)} is being published.`);
  changed();
}

export async function askRemoveRecords(zone, one, changed) {
  let reply = null;
  const yes = await ask({
    title: `Take ${keyOf(one)} away?`, symbol: "trash", tone: "bad", yes: "Take it away", testid: "remove-records-dialog",
    body: h("p", {}, "Our name servers stop answering it; others may remember it for as long as its time to live says."),
    act: async () => {
      try { reply = await zones.removeRecords(zone.id, one.name, one.type); } catch (error) { changed(); throw error; }
    },
  });
  if (!yes) return;
  toldOf(reply.change, `${keyOf(one)} is taken away.`, `${keyOf(one)} is being taken away.`);
  changed();
}

// What was wished, asked for once more as it stands.
export async function askAgain(zone, one, changed) {
  try {
    const { change } = await (one.values.length
      ? zones.putRecords(zone.id, { name: `${one.name}.`, type: one.type, values: one.values, ttl: one.ttl })
      : zones.removeRecords(zone.id, one.name, one.type));
    toldOf(change, `${keyOf(one)} is as it was wished.`, `${keyOf(one)} is tried again.`);
  } finally {
    changed();
  }
}

class Form {
  constructor(zone, one) {
    this.zone = zone;
    this.one = one;
    this.name = field("Name", { name: "name", value: one ? one.name : "", required: true, autocomplete: "off", spellcheck: "false", hint: one ? "Stays as it is." : `Below ${zone.name}; @ is the zone itself.`, testid: "record-name" });
    this.type = select("Type", RECORD_TYPES.map((type) => [type, type]), { name: "type", value: one?.type ?? "A", testid: "record-type" });
    this.ttl = field("Time to live", { name: "ttl", value: String(one?.ttl ?? DEFAULT_TTL), inputmode: "numeric", hint: "In seconds, from 60 to 604800.", testid: "record-ttl" });
    this.values = field("Values", { name: "values", type: "textarea", value: one ? one.values.join("\n") : "", required: true, spellcheck: "false", hint: " ", testid: "record-values" });
    this.name.control.disabled = this.type.control.disabled = Boolean(one);
    this.type.control.addEventListener("change", () => this.explain());
    this.element = h("div", { class: "stack" }, this.name.element, h("div", { class: "two" }, this.type.element, this.ttl.element), this.values.element);
    this.explain();
  }

  explain() {
    this.values.element.querySelector(".hint").textContent = `One in a line. ${HINTS[this.type.value]}.`;
  }

  async send(changed) {
    const fields = { name: this.name, type: this.type, ttl: this.ttl, values: this.values };
    for (const one of Object.values(fields)) one.error("");
    const told = { name: this.one ? `${this.one.name}.` : this.name.value.trim(), type: this.type.value, values: lines(this.values.value), ttl: Number(this.ttl.value.trim()) };
    try {
      this.check(told);
      if (!this.one) await this.refuseTwin(told);
      return await zones.putRecords(this.zone.id, told);
    } catch (error) {
      for (const [name, one] of Object.entries(fields)) if (error.fields?.[name]) one.error(error.fields[name]);
      this.element.querySelector("[aria-invalid]")?.focus();
      if (error.status && error.status !== 422) changed();
      throw error;
    }
  }

  // What JSON could not carry, and what the API would not call by the field's name.
  check({ name, values, ttl }) {
    if (!name) throw refused("name", "Write a name, or @ for the zone itself.");
    if (!Number.isInteger(ttl)) throw refused("ttl", "Write a whole number of seconds.");
    if (!values.length) throw refused("values", "Write at least one value.");
  }

  // PUT replaces a whole set: what is meant as an addition must not take another set's place.
  async refuseTwin({ name, type }) {
    const whole = wholeName(name, this.zone.name);
    const { records } = await zones.records(this.zone.id, { q: whole, type, limit: 500 });
    if (records.some((one) => one.name === whole && one.values.length)) throw refused("name", `There are ${type} records at ${whole} already; change those.`);
  }
}

const refused = (name, text) => Object.assign(new Error("Look at what is marked."), { fields: { [name]: text } });

// As domain/dns_names.py reads a name; what cannot be one is left to the API to refuse.
function wholeName(text, zone) {
  let name = text.toLowerCase().replace(/\.$/, "");
  if (text === "@") return zone;
  if (!/^[\x20-\x7e]*$/.test(name)) { try { name = new URL(`http://${name}`).hostname; } catch { return name; } }
  return text.endsWith(".") || name === zone || name.endsWith(`.${zone}`) ? name : `${name}.${zone}`;
}
