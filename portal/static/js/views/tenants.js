// The brands that sell here. One that is switched off takes no new orders; what it has sold goes on.

import { button, chip, empty } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field } from "../components/field.js";
import { pagedList } from "../components/pagedlist.js";
import { failed, said } from "../components/toast.js";
import { h } from "../dom.js";
import { dateTime } from "../format.js";
import { sales } from "../salesapi.js";
import { tenantState } from "../salesstates.js";
import { mayAdminister } from "../session.js";

export function tenantsView({ query, signal }) {
  if (!mayAdminister()) {
    return { title: "Tenants", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "Tenants"), empty("flag", "Tenants are shown to administrators")) };
  }
  const list = pagedList({
    title: "Tenants", query, signal, filters: [], symbol: "flag", noun: "tenants", testid: "tenants",
    ask: async (filters, signal) => {
      const reply = await sales.tenants(filters, signal);
      return { items: reply.tenants, pagination: reply.pagination };
    },
    draw: (tenants) => table(tenants, list.reload),
    none: () => empty("flag", "Nobody sells here yet", h("p", {}, "Orders name the tenant that sold them.")),
  });
  const add = button("Add tenant", { symbol: "add", kind: "primary", testid: "add-tenant", on: { click: () => edit(null, list.reload).catch(failed) } });
  return { title: "Tenants", element: h("div", { class: "stack" }, h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Tenants"), add), list.element) };
}

function table(tenants, reload) {
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["Tenant", "State", "Since", ""].map((text, i) => h("th", { scope: "col", class: i === 3 ? "end" : undefined }, text)))),
    h("tbody", {}, tenants.map((one) => h("tr", { testid: `tenant-${one.slug}` },
      h("td", { class: "left" }, h("b", { class: "break" }, one.name), h("span", { class: "sub" }, one.slug)),
      h("td", { class: "left" }, chip(tenantState(one.is_active))),
      h("td", { class: "left nowrap hide-small" }, h("time", { datetime: one.created_at }, dateTime(one.created_at))),
      h("td", { class: "end message" }, h("div", { class: "actions" },
        button("Orders", { kind: "small", href: `#/orders?tenant=${encodeURIComponent(one.slug)}`, testid: `orders-${one.slug}` }),
        button("Edit", { kind: "small", testid: `edit-${one.slug}`, on: { click: () => edit(one, reload).catch(failed) } })))))));
}

async function edit(one, reload) {
  const name = field("Name", { name: "name", value: one?.name ?? "", required: true, autocomplete: "off", testid: "tenant-name" });
  const slug = field("Short name", { name: "slug", value: one?.slug ?? "", required: true, autocomplete: "off", spellcheck: "false", hint: one ? "Stays as it is." : "Orders name the tenant by it, for ever.", testid: "tenant-slug" });
  slug.control.disabled = Boolean(one);
  const active = h("input", { type: "checkbox", checked: one?.is_active ?? true, testid: "tenant-active" });
  const yes = await ask({
    title: one ? `Edit ${one.name}` : "Add a tenant", symbol: "flag", tone: "run", yes: one ? "Save" : "Add", kind: "primary", testid: "tenant-dialog",
    body: [name.element, slug.element, one && h("label", { class: "check" }, active, h("span", {}, h("b", {}, "Sells"), h("span", { class: "hint" }, "Otherwise it takes no new orders; what it has sold goes on.")))],
    act: async () => {
      for (const each of [name, slug]) each.error("");
      try {
        if (one) await sales.changeTenant(one.id, { name: name.value.trim(), isActive: active.checked });
        else await sales.createTenant({ name: name.value.trim(), slug: slug.value.trim() });
      } catch (error) {
        for (const [key, each] of Object.entries({ name, slug })) if (error.fields?.[key]) { each.error(error.fields[key]); each.control.focus(); }
        throw error;
      }
    },
  });
  if (!yes) return;
  said(`${name.value.trim()} is ${one ? "saved" : "added"}.`);
  await reload();
}
