// What may be asked for a subscription: each says what it does before it is done. The API says which make sense by now.

import { bullets, button } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field, select } from "../components/field.js";
import { failed, said } from "../components/toast.js";
import { h } from "../dom.js";
import { dateTime, price } from "../format.js";
import { sales } from "../salesapi.js";
import { mayOperate, maySettle, user } from "../session.js";
import { INTERVALS } from "./priceform.js";

const mayEnd = () => maySettle() || user()?.role === "USER";
const CHANGES = {
  resume: { label: "Resume", symbol: "power", kind: "primary", may: maySettle, ask: askResume },
  keep: { label: "Keep it", symbol: "undo", kind: "primary", may: mayEnd, ask: askKeep },
  change: { label: "Change price", symbol: "tag", may: mayOperate, ask: askChange },
  suspend: { label: "Suspend", symbol: "stop", may: maySettle, ask: askSuspend },
  cancel: { label: "Cancel", symbol: "clock", may: mayEnd, ask: askCancel },
  refund: { label: "Refund", symbol: "undo", may: maySettle, ask: askRefund },
  terminate: { label: "Terminate", symbol: "trash", kind: "danger", may: mayOperate, ask: askTerminate },
};

export function buttonsOf(all, name, again) {
  const dead = all.subscription.status === "TERMINATED";
  return Object.entries(CHANGES)
    .filter(([verb, one]) => all.changes.includes(verb) && one.may() && !(verb === "refund" && all.order.total_amount === 0))
    .map(([verb, one]) => button(one.label, { symbol: one.symbol, kind: dead ? "" : one.kind ?? "", testid: `change-${verb}`, on: { click: async () => {
      try { if (await one.ask(all, name)) again(); } catch (error) { failed(error); }
    } } }));
}

const reasonField = (hint, required = false) => field("Reason", { name: "reason", optional: !required, required, hint, testid: "change-reason" });
const AUDITED = "Written to the audit log.";

// `values()` is what is sent; what the API says of a field is shown at it.
function question({ all, verb, done, title, tone = "warn", symbol, yes, kind = "primary", body, values = () => ({}), fields = {}, ready }) {
  return ask({
    title, tone, symbol, yes, kind, testid: "change-dialog", body, ready,
    act: async () => {
      for (const one of Object.values(fields)) one.error("");
      try {
        await sales.changeSubscription(all.subscription.id, verb, values());
      } catch (error) {
        for (const [name, one] of Object.entries(fields)) if (error.fields?.[name]) { one.error(error.fields[name]); one.control.focus(); }
        throw error;
      }
      said(done);
    },
  });
}

function askSuspend(all, name) {
  const reason = reasonField("The customer is told it.", true);
  return question({
    all, verb: "suspend", done: `${name} is being suspended.`, title: `Suspend ${name}?`, symbol: "stop", tone: "bad", yes: "Suspend", kind: "danger solid",
    body: [bullets("info", "warn", ["The site says that it is suspended", "Files cannot be reached, and mail waits", "Nothing is deleted; Resume brings everything back"]), reason.element],
    values: () => ({ reason: reason.value.trim() }), fields: { reason },
    ready: (allow) => { allow(false); reason.control.addEventListener("input", () => allow(Boolean(reason.value.trim()))); },
  });
}

function askResume(all, name) {
  const reason = reasonField(AUDITED);
  return question({
    all, verb: "resume", done: `${name} is being resumed.`, title: `Resume ${name}?`, symbol: "power", tone: "run", yes: "Resume",
    body: [h("p", {}, "Site, files and mail are switched on again, as they were."), reason.element], values: () => ({ reason: reason.value.trim() }), fields: { reason },
  });
}

function askCancel(all, name) {
  const reason = reasonField(AUDITED);
  const until = all.subscription.current_period_end;
  return question({
    all, verb: "cancel", done: `${name} is cancelled.`, title: `Cancel ${name}?`, symbol: "clock", yes: "Cancel it", kind: "danger solid",
    body: [bullets("info", "warn", [`It works until ${dateTime(until)}, which is paid for`, "Then a last backup is made, and everything else is removed", "Until then it can be kept after all"]), reason.element],
    values: () => ({ reason: reason.value.trim() }), fields: { reason },
  });
}

function askKeep(all, name) {
  return question({
    all, verb: "keep", done: `${name} is kept.`, title: `Keep ${name}?`, symbol: "undo", tone: "run", yes: "Keep it",
    body: h("p", {}, "The cancellation is withdrawn; it renews as before."),
  });
}

async function askChange(all, name) {
  const products = await sales.onSale();
  const offered = products.filter((one) => one.type === "hosting").flatMap((product) => product.prices
    .filter((one) => one.currency === all.order.currency && one.id !== all.subscription.price_id)
    .map((one) => [one.id, `${product.name}: ${price(one.amount, one.currency)} ${wordOf(one.interval)}`]));
  if (!offered.length) throw new Error("Nothing else is sold that it could be changed to.");
  const priceId = select("To", offered, { name: "price", testid: "change-price" });
  const reason = reasonField(AUDITED);
  return question({
    all, verb: "change", done: `${name} is being changed.`, title: `Change the price of ${name}?`, symbol: "tag", tone: "run", yes: "Change",
    body: [h("p", {}, "What may be used changes, and then the price. What is charged for it, the shop says."), priceId.element, reason.element],
    values: () => ({ priceId: priceId.value, reason: reason.value.trim() }), fields: { priceId, reason },
  });
}

const wordOf = (interval) => (INTERVALS.find(([key]) => key === interval)?.[1] ?? interval).toLowerCase();

function askRefund(all, name) {
  const reason = reasonField(AUDITED);
  const amount = price(all.order.total_amount, all.order.currency);
  return question({
    all, verb: "refund", done: "The refund is on its way.", title: `Pay ${amount} back?`, symbol: "undo", yes: "Pay it back", kind: "danger solid",
    body: [h("p", {}, h("b", { class: "nowrap" }, amount), ` of the order goes back to ${all.subscription.customer_email}, once. `, all.subscription.status === "TERMINATED" ? "" : `${name} stays what it is.`), reason.element],
    values: () => ({ reason: reason.value.trim() }), fields: { reason },
  });
}

function askTerminate(all, name) {
  const typed = field(`Type ${name} to confirm`, { name: "confirm", autocomplete: "off", spellcheck: "false", testid: "change-confirm" });
  const reason = reasonField(AUDITED);
  return question({
    all, verb: "terminate", done: `${name} is being ended.`, title: `End ${name} now?`, symbol: "trash", tone: "bad", yes: "Terminate", kind: "danger solid",
    body: [bullets("undo", "bad", ["A last backup is put away and read back first", "Then site, mailbox, zone and records are removed, with proof", "Nothing is paid back by this"]), typed.element, reason.element],
    values: () => ({ confirm: typed.value.trim(), reason: reason.value.trim() }), fields: { confirm: typed, reason },
    ready: (allow) => { allow(false); typed.control.addEventListener("input", () => allow(typed.value.trim().toLowerCase() === name)); },
  });
}
