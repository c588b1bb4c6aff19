// What runs at the clouds, for whom, what it costs a month, and what nobody can explain: with the decisions about it.

import { api } from "../api.js";
import { repeat } from "../clock.js";
import { busy, button, card, chip, empty, notice, skeleton } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field } from "../components/field.js";
import { failed, said } from "../components/toast.js";
import { h, replace } from "../dom.js";
import { dateTime, money } from "../format.js";
import { mayAdminister } from "../session.js";
import { resourceState, sweepState } from "../states.js";

const EVERY = 20; // seconds between looks

// Why a server stands where it stands, in words.
const VERDICTS = {
  explained: "",
  surplus: "A second server of an order that got another one",
  leftover: "Of an order that was given up",
  unproven: "Marked as ours, but no row says enough about it",
  unknown_order: "Carries the token of an order that the database does not know",
  foreign: "Not ordered by Slipway",
};

export function inventoryView({ signal }) {
  if (!mayAdminister()) {
    return { title: "Inventory", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "Inventory"), empty("ledger", "The inventory is shown to administrators")) };
  }
  const sums = h("div", { class: "sums", testid: "inventory-totals" });
  const verdict = h("div", { testid: "inventory-sweep" });
  const list = h("div", { testid: "inventory", "aria-busy": "true" }, skeleton("70%", "90%", "60%"));
  let shown = "";

  const load = async () => {
    const reply = await api.inventory(signal);
    list.setAttribute("aria-busy", "false");
    const text = JSON.stringify([reply.resources, reply.totals, reply.sweeps]);
    if (text === shown) return;
    shown = text;
    replace(sums, reply.totals.map(total));
    replace(verdict, reply.sweeps.length ? reply.sweeps.map((one) => lastSweep(one, reply.rules)) : notice("idle", "clock", h("p", {}, "No sweep has looked at a cloud yet.")));
    const focused = document.activeElement?.dataset?.testid;
    replace(list, reply.resources.length ? table(reply.resources, load) : empty("server", "No server at any cloud"));
    if (focused) list.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  };
  repeat(load, EVERY, signal, (error) => { if (error.status !== 401 && error.status !== 429) failed(error); });

  const now = button("Sweep now", { symbol: "retry", testid: "sweep-now", on: { click: async () => {
    try {
      await busy(now, () => api.sweep(false));
      said("A sweep has begun.");
    } catch (error) { failed(error); }
  } } });
  return {
    title: "Inventory",
    element: h("div", { class: "stack" },
      h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Inventory"), now),
      verdict, card("At the clouds", { body: [sums, list], testid: "inventory-card" })),
  };
}

const total = (one) => h("p", {}, h("b", {}, money(one.cents_month, one.currency)), " a month for ", `${one.resources} ${one.resources === 1 ? "server" : "servers"}`,
  one.unexplained_cents_month > 0 && h("span", { class: "sum-lost" }, `, ${money(one.unexplained_cents_month, one.currency)} of it unexplained`),
  one.unpriced > 0 && h("span", { class: "muted" }, `, ${one.unpriced} without a known price`));

function lastSweep(one, rules) {
  const state = sweepState(one.outcome);
  const stale = one.last_complete_at ? `Last complete list: ${dateTime(one.last_complete_at)}.` : "There was no complete list yet.";
  return notice(state.tone, state.icon,
    h("p", {}, h("b", {}, `${one.provider}: ${state.label}`), ` ${dateTime(one.began_at)}`, one.listed !== null && `, ${one.listed} listed`),
    one.reason && h("p", {}, one.reason),
    h("p", { class: "small muted" }, stale, ` Lost servers are powered off at the second sighting and deleted after ${rules.grace_hours} h, at most ${rules.acts_per_hour} an hour.`),
    one.outcome === "refused" && one.listed !== null && button("The list is right", { kind: "small", testid: "vouch", on: { click: () => askVouch(one).catch(failed) } }));
}

function askVouch(one) {
  return ask({
    title: "Vouch for the list?", symbol: "hand", tone: "warn", yes: "It is right", kind: "primary", testid: "vouch-dialog",
    body: [h("p", {}, one.reason), h("p", {}, "A new sweep writes down what it finds, servers that are missing too, and touches nothing. Vouch only if you looked at the cloud and at the database yourself.")],
    act: async () => { await api.sweep(true); said("A sweep has begun."); },
  });
}

function table(resources, reload) {
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["Server", "State", "For", "Price / month", ""].map((text, i) => h("th", { scope: "col", class: i >= 3 ? "end" : undefined }, text)))),
    h("tbody", {}, resources.map((one) => row(one, reload))));
}

function row(one, reload) {
  const why = [VERDICTS[one.verdict] ?? one.verdict, one.note].filter(Boolean).join(". ");
  return h("tr", { testid: `resource-${one.provider_ref}` },
    h("td", {}, h("b", {}, one.vps?.vps_name && one.state === "explained" ? one.vps.vps_name : one.label || one.provider_ref),
      h("span", { class: "sub" }, [one.provider, one.provider_ref, one.product, one.address].filter(Boolean).join(" · "))),
    h("td", { class: "left message" }, chip(resourceState(one.state)), why && h("span", { class: "sub" }, why),
      one.delete_after && h("span", { class: "sub" }, `Deleted after ${dateTime(one.delete_after)}`)),
    h("td", { class: "left" }, one.deployments.length
      ? one.deployments.map((d) => h("a", { class: "sub", href: `#/instances/${d.id}` }, d.organization_name))
      : one.ordered_for ? h("a", { class: "sub", href: `#/instances/${one.ordered_for}` }, "the order it came from") : "–"),
    h("td", { class: "end nowrap" }, money(one.price_cents_month, one.currency)),
    h("td", { class: "end message" }, h("div", { class: "actions" },
      one.may_adopt && button("Leave alone", { kind: "small", testid: `adopt-${one.provider_ref}`, on: { click: () => askAdopt(one).then((yes) => yes && reload()).catch(failed) } }),
      one.may_release && button("Delete", { kind: "small danger", testid: `release-${one.provider_ref}`, on: { click: () => askRelease(one).then((yes) => yes && reload()).catch(failed) } }))));
}

const reason = (testid) => field("Note", { name: "note", optional: true, hint: "Shown here and written to the audit log.", testid });

function askAdopt(one) {
  const note = reason("adopt-note");
  return ask({
    title: `Leave ${one.provider_ref} alone?`, symbol: "hand", tone: "warn", yes: "Leave it alone", kind: "primary", testid: "adopt-dialog",
    body: [h("p", {}, "It is neither powered off nor deleted from now on, and it goes on costing ", h("b", {}, money(one.price_cents_month, one.currency)), " a month."), one.quarantined_at && h("p", {}, "The next sweep starts it again."), note.element],
    act: async () => { await api.decideResource(one.id, "adopt", note.value.trim()); said(`${one.provider_ref} is left alone.`); },
  });
}

function askRelease(one) {
  const note = reason("release-note");
  const typed = field(`Type ${one.provider_ref} to confirm`, { name: "confirm", autocomplete: "off", spellcheck: "false", testid: "release-name" });
  return ask({
    title: `Delete ${one.provider_ref}?`, symbol: "trash", tone: "bad", yes: "Have it deleted", testid: "release-dialog",
    body: [h("p", {}, "The next sweep cancels it at the cloud, without a grace period. Everything on it is lost."), note.element, typed.element],
    ready: (allow) => { allow(false); typed.control.addEventListener("input", () => allow(typed.value.trim() === one.provider_ref)); },
    act: async () => { await api.decideResource(one.id, "release", note.value.trim()); said(`${one.provider_ref} will be deleted.`); },
  });
}
