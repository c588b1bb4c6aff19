// The keys by which machines call the API: made and shown once, and revoked.

import { button, chip, copyButton, empty, notice } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field, select } from "../components/field.js";
import { pagedList } from "../components/pagedlist.js";
import { failed, said } from "../components/toast.js";
import { h } from "../dom.js";
import { dateTime } from "../format.js";
import { sales } from "../salesapi.js";
import { keyState } from "../salesstates.js";
import { mayAdminister } from "../session.js";

const KINDS = [["webhook", "Webhook"], ["node", "Node"], ["portal", "Portal"]];
const SCOPES = [["orders:write", "Place orders"], ["instances:write", "Order instances"], ["instances:read", "Read instances"], ["servers:read", "Read servers of the house"], ["metrics:read", "Read metrics"]];
const TENANTS = 100; // as many as one page of the API holds

export function apiKeysView({ query, signal }) {
  if (!mayAdminister()) {
    return { title: "API keys", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "API keys"), empty("key", "API keys are shown to administrators")) };
  }
  const list = pagedList({
    title: "API keys", query, signal, filters: [], symbol: "key", noun: "keys", testid: "api-keys",
    ask: async (filters, signal) => {
      const reply = await sales.apiKeys(filters, signal);
      return { items: reply.api_keys, pagination: reply.pagination };
    },
    draw: (keys) => table(keys, list.reload),
    none: () => empty("key", "No keys yet", h("p", {}, "A key lets a machine do what its scopes say.")),
  });
  const add = button("Make a key", { symbol: "add", kind: "primary", testid: "add-key", on: { click: () => make(list.reload).catch(failed) } });
  return { title: "API keys", element: h("div", { class: "stack" }, h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "API keys"), add), list.element) };
}

const used = (one) => (one.last_used_at ? `Used ${dateTime(one.last_used_at)}` : "Never used");

function table(keys, reload) {
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["Key", "State", "May", "Use", ""].map((text, i) => h("th", { scope: "col", class: i === 4 ? "end" : undefined }, text)))),
    h("tbody", {}, keys.map((one) => h("tr", { testid: `key-${one.name}` },
      h("td", { class: "left" }, h("b", { class: "break" }, one.name), h("span", { class: "sub" }, h("span", { class: "mono" }, `${one.hint}…`), ` · ${one.kind}`)),
      h("td", { class: "left" }, chip(keyState(one.status))),
      h("td", { class: "left message" }, one.scopes.join(", "), one.tenant_id && h("span", { class: "sub" }, "of one tenant")),
      h("td", { class: "left message" }, used(one), one.expires_at && h("span", { class: "sub" }, `until ${dateTime(one.expires_at)}`)),
      h("td", { class: "end message" }, one.status === "active" && h("div", { class: "actions" },
        button("Revoke", { kind: "small danger", testid: `revoke-${one.name}`, on: { click: () => askRevoke(one, reload).catch(failed) } })))))));
}

async function make(reload) {
  const tenants = (await sales.tenants({ limit: TENANTS })).tenants;
  const name = field("Name", { name: "name", required: true, autocomplete: "off", hint: "Who holds it, such as shop.example.com.", testid: "key-name" });
  const kind = select("Kind", KINDS, { name: "kind", testid: "key-kind" });
  const tenantId = select("For", [["", "All tenants"], ...tenants.map((one) => [one.id, one.name])], { name: "tenant", hint: "A key of one tenant may only place orders.", testid: "key-tenant" });
  const expires = field("Until", { name: "expires", type: "date", optional: true, testid: "key-expires" });
  const boxes = SCOPES.map(([scope, label]) => [scope, h("input", { type: "checkbox", testid: `scope-${scope}` }), label]);
  const scopes = { error: (text) => { problem.hidden = !text; problem.textContent = text; } };
  const problem = h("p", { class: "error", hidden: true, role: "alert" });
  let made = null;
  const yes = await ask({
    title: "Make a key", symbol: "key", tone: "run", yes: "Make it", kind: "primary", testid: "key-dialog",
    body: [name.element, h("div", { class: "two" }, kind.element, tenantId.element), expires.element,
      h("fieldset", { class: "group" }, h("legend", { class: "label" }, "It may"), boxes.map(([scope, box, label]) => h("label", { class: "check" }, box, h("span", {}, h("b", {}, label), h("span", { class: "hint mono" }, scope))))), problem],
    act: async () => {
      const fields = { name, kind, tenantId, expiresAt: expires, scopes };
      for (const one of Object.values(fields)) one.error("");
      const chosen = boxes.filter(([, box]) => box.checked).map(([scope]) => scope);
      if (!chosen.length) { scopes.error("Choose what it may do."); throw new Error("Choose what it may do."); }
      try {
        made = await sales.createApiKey({ name: name.value.trim(), kind: kind.value, scopes: chosen, tenantId: tenantId.value || null, expiresAt: expires.value ? `${expires.value}T23:59:59Z` : null });
      } catch (error) {
        for (const [key, one] of Object.entries(fields)) if (error.fields?.[key]) { one.error(error.fields[key]); one.control?.focus(); }
        throw error;
      }
    },
  });
  if (!yes) return;
  await ask({
    title: "The key is made", symbol: "key", tone: "ok", yes: "I have it", no: null, kind: "primary", testid: "made-dialog",
    body: [notice("warn", "key", h("b", {}, "Shown this one time. "), "Hand it over in a safe way; nobody can read it again."),
      h("div", { class: "key-line" }, h("code", { class: "break", testid: "made-key" }, made.key), copyButton("Copy the key", made.key))],
    act: async () => {},
  });
  await reload();
}

async function askRevoke(one, reload) {
  const yes = await ask({
    title: `Revoke ${one.name}?`, symbol: "key", tone: "bad", yes: "Revoke it", testid: "revoke-dialog",
    body: h("p", {}, "It is refused at once, everywhere. What it did stays in the audit log under its name."),
    act: () => sales.revokeApiKey(one.id),
  });
  if (!yes) return;
  said(`${one.name} is revoked.`);
  await reload();
}
