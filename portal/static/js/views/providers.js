// Accounts at clouds: which there are, whether their credentials are accepted, and how they are set up.

import { api, uuid } from "../api.js";
import { busy, button, card, chip, empty, notice, skeleton } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field, select } from "../components/field.js";
import { failed, said } from "../components/toast.js";
import { h, replace } from "../dom.js";
import { dateTime } from "../format.js";
import { mayAdminister } from "../session.js";
import { accountState } from "../states.js";

const KINDS = [["digitalocean", "DigitalOcean"], ["linode", "Linode"], ["transip", "TransIP"], ["aws", "AWS (not offered yet)"], ["gcp", "Google Cloud (not offered yet)"]];
const OFFERED = new Set(["transip", "digitalocean", "linode"]);
const kindName = (kind) => KINDS.find(([key]) => key === kind)?.[1] ?? kind;

export function providersView({ signal }) {
  if (!mayAdminister()) {
    return { title: "Providers", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "Providers"), empty("server", "Providers are shown to administrators")) };
  }
  const list = h("div", { testid: "providers", "aria-busy": "true" }, skeleton("70%", "90%", "60%"));
  const load = async () => {
    const accounts = await api.providers(signal);
    list.setAttribute("aria-busy", "false");
    const focused = document.activeElement?.dataset?.testid;
    replace(list, accounts.length ? table(accounts, load) : empty("server", "No account at any cloud", h("p", {}, "Add one to order servers there.")));
    if (focused) list.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  };
  load().catch((error) => { if (error.name !== "AbortError" && error.status !== 401) failed(error); });
  const add = button("Add provider", { symbol: "add", kind: "primary", testid: "add-provider", on: { click: () => edit(null, load).catch(failed) } });
  return {
    title: "Providers",
    element: h("div", { class: "stack" },
      h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Providers"), add),
      notice("idle", "info", h("p", {}, "Orders that name no account go to the oldest active one of their cloud. A disabled account takes no orders; its servers run on and can be cancelled.")),
      card("Accounts at clouds", { body: list, testid: "providers-card" })),
  };
}

function table(accounts, reload) {
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["Account", "State", "Living there", ""].map((text, i) => h("th", { scope: "col", class: i >= 2 ? "end" : undefined }, text)))),
    h("tbody", {}, accounts.map((one) => row(one, reload))));
}

function row(one, reload) {
  const told = [one.configuration.username, one.configuration.default_region, one.configuration.default_image];
  const from = one.origin === "environment" && "set in the environment";
  return h("tr", { testid: `provider-${one.name}` },
    h("td", {}, h("b", {}, one.name), h("span", { class: "sub" }, [kindName(one.type), ...told, from].filter(Boolean).join(" · "))),
    h("td", { class: "left message" }, chip(accountState(one.active)),
      one.validated_at && h("span", { class: "sub", testid: `validation-${one.name}` }, `${dateTime(one.validated_at)}: ${one.validation}`)),
    h("td", { class: "end nowrap" }, `${one.servers} ${one.servers === 1 ? "server" : "servers"}`),
    h("td", { class: "end message" }, h("div", { class: "actions" },
      OFFERED.has(one.type) && checkButton(one, reload),
      OFFERED.has(one.type) && switchButton(one, reload),
      button("Edit", { kind: "small", testid: `edit-${one.name}`, on: { click: () => edit(one, reload).catch(failed) } }),
      button("Delete", { kind: "small danger", testid: `delete-${one.name}`, on: { click: () => askDelete(one, reload).catch(failed) } }))));
}

function checkButton(one, reload) {
  const made = button("Check", { kind: "small", testid: `validate-${one.name}`, title: "Ask the cloud whether it accepts the credentials", on: { click: async () => {
    try {
      said(`${one.name}: ${(await busy(made, () => api.validateProvider(one.id))).message}`);
    } catch (error) { failed(error); }
    await reload().catch(failed);
  } } });
  return made;
}

function switchButton(one, reload) {
  const made = button(one.active ? "Disable" : "Enable", { kind: "small", testid: `switch-${one.name}`, on: { click: async () => {
    try {
      await busy(made, () => api.changeProvider(one.id, { active: !one.active }));
      said(`${one.name} is ${one.active ? "disabled" : "active"}.`);
      await reload();
    } catch (error) { failed(error); }
  } } });
  return made;
}

function askDelete(one, reload) {
  return ask({
    title: `Delete ${one.name}?`, symbol: "trash", tone: "bad", yes: "Delete it", testid: "delete-dialog",
    body: h("p", {}, "Its key is destroyed, and its plans are no longer offered. This is refused while servers live there."),
    act: async () => { await api.removeProvider(one.id); said(`${one.name} is deleted.`); await reload(); },
  });
}

// One form for a new account and for one that is there. What the environment names is changed there.
function edit(one, reload) {
  const fixed = one?.origin === "environment" && !one.configuration.withdrawn;
  const form = new Form(one, fixed);
  let once = uuid(); // the same request sent twice is one account; after a refusal it is another request
  return ask({
    title: one ? `Edit ${one.name}` : "Add a provider", symbol: "key", tone: "run", yes: one ? "Save" : "Add", kind: "primary", testid: "provider-dialog",
    body: [fixed && h("p", {}, "Its key and configuration stand in the environment of Slipway's processes."), form.element],
    act: async () => {
      form.clear();
      try {
        if (one) await api.changeProvider(one.id, form.changes());
        else await api.createProvider(form.order(), once);
      } catch (error) {
        if (error.status) once = uuid();
        form.show(error.fields ?? {});
        throw error;
      }
      said(`${form.name.value.trim()} is ${one ? "saved" : "added"}.`);
      await reload();
    },
  });
}

class Form {
  constructor(one, fixed) {
    const told = one?.configuration ?? {};
    this.one = one;
    this.fixed = fixed;
    this.name = field("Name", { name: "name", value: one?.name ?? "", required: true, testid: "provider-name" });
    this.kind = select("Cloud", KINDS, { name: "type", value: one?.type ?? "digitalocean", testid: "provider-type" });
    this.token = field("API token", { name: "token", type: "password", autocomplete: "off", spellcheck: "false", required: !one, hint: one ? "Empty keeps the one that is stored. It is never shown." : "Stored encrypted and never shown again.", testid: "provider-token" });
    this.pem = field("Private key", { name: "pem", type: "textarea", autocomplete: "off", spellcheck: "false", required: !one, hint: one ? "Empty keeps the one that is stored. It is never shown." : "The PEM text, with its first and last line. Stored encrypted and never shown again.", testid: "provider-pem" });
    this.username = field("Login at TransIP", { name: "username", value: told.username ?? "", required: true, testid: "provider-username" });
    this.region = field("Default region", { name: "region", value: told.default_region ?? "", optional: true, testid: "provider-region" });
    this.image = field("Default image", { name: "image", value: told.default_image ?? "", optional: true, testid: "provider-image" });
    this.address = field("Address of the API", { name: "address", value: told.base_url ?? "", optional: true, hint: "Empty means the cloud's own.", testid: "provider-address" });
    this.kind.control.disabled = Boolean(one);
    this.kind.control.addEventListener("change", () => this.arrange());
    this.element = h("div", { class: "stack" });
    this.arrange();
  }

  get ofTransip() { return this.kind.value === "transip"; }
  get key() { return this.ofTransip ? this.pem : this.token; }

  arrange() {
    const asked = this.fixed ? [this.name] : [this.name, this.kind, this.ofTransip && this.username, this.key, this.region, this.image, this.address];
    replace(this.element, asked.filter(Boolean).map((one) => one.element));
  }

  // Whatever else stands in the configuration stays.
  configuration() {
    const { withdrawn: _, ...told } = { ...this.one?.configuration };
    const asked = { username: this.ofTransip ? this.username : null, default_region: this.region, default_image: this.image, base_url: this.address };
    for (const [name, input] of Object.entries(asked)) {
      const text = input?.value.trim();
      if (text) told[name] = text;
      else if (input) delete told[name];
    }
    return told;
  }

  order() {
    return { name: this.name.value, type: this.kind.value, api_key: this.key.value, configuration: this.configuration() };
  }

  changes() {
    if (this.fixed) return { name: this.name.value };
    return { name: this.name.value, configuration: this.configuration(), ...(this.key.value ? { api_key: this.key.value } : {}) };
  }

  fields() {
    return { name: this.name, type: this.kind, apiKey: this.key, username: this.username, defaultRegion: this.region, defaultImage: this.image, baseUrl: this.address };
  }

  clear() { for (const one of Object.values(this.fields())) one.error(""); }

  show(errors) {
    for (const [name, one] of Object.entries(this.fields())) if (errors[name]) one.error(errors[name]);
    this.element.querySelector("[aria-invalid]")?.focus();
  }
}
