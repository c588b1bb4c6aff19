// What needs a person: oldest first, with what happened, since when, until when, and who may end it.

import { busy, button } from "../components/basics.js";
import { failed, said } from "../components/toast.js";
import { h, replace } from "../dom.js";
import { brief, dateTime, now, since, spaced, words } from "../format.js";
import { icon } from "../icons.js";
import { sales } from "../salesapi.js";
import { mayOperate, maySettle } from "../session.js";
import { zones } from "../zonesapi.js";
import { settleCase, settleZoneChange } from "./cases.js";
import { toldOf } from "./zoneform.js";

const KINDS = {
  waits_for_operator: "Waits for a decision",
  escalated: "Overdue: nobody decided in time",
  workflow_task_failing: "The run's code fails",
  not_started: "Not started",
  refund_failed: "Money is owed",
  mail_given_up: "Not sent",
  certificate: "A certificate is in danger",
  zone_change_failed: "Name servers are not as wished",
  zone_change_late: "Name servers: it takes too long",
};

const kindOf = (one) => (one.kind === "payment_case" ? (one.order_id ? "A payment needs somebody" : "Money without an order") : KINDS[one.kind] ?? words(one.kind));
const DELIVERY = /^(FULFIL_ORDER|PROVISION_)/;

// `missing` says which part of the list could not be asked for; an empty list must not hide that.
export function attentionList(place, items, missing) {
  if (!items.length && !missing) { place.replaceChildren(); delete place.dataset.shown; return; }
  const text = JSON.stringify([items, missing]);
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  const title = items.length ? `${items.length} ${items.length === 1 ? "thing needs" : "things need"} somebody` : "Nothing known needs somebody";
  const sorted = [...items].sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
  replace(place, h("section", { class: "card attention", "aria-label": "Needs somebody", testid: "attention" },
    h("div", { class: "card-head" }, h("h2", {}, icon("hand"), title)),
    h("ul", { class: "attention-list" }, sorted.map(item)),
    missing && h("p", { class: "card-body small muted", role: "status", testid: "attention-missing" }, missing)));
}

function item(one) {
  const left = (Date.parse(one.until) - now()) / 1000;
  const named = one.organization_name ?? one.slug;
  const line = h("li", { "data-kind": one.kind });
  line.append(
    h("p", {}, h("b", {}, named), named !== one.label && one.job_id && h("span", { class: "sub" }, one.label),
      h("span", { class: "sub" }, `${kindOf(one)} · ${one.what}`)),
    h("p", { class: "trouble" }, h("b", {}, `${spaced(one.trouble)}: `), one.message),
    h("p", { class: "when" },
      h("span", { title: dateTime(one.since) }, icon("clock"), "since ", h("span", { "data-since": one.since }, brief(since(one.since)))),
      h("span", { title: dateTime(one.until) }, icon("alert"), left > 0 ? `due in ${brief(left)}` : `overdue by ${brief(-left)}`),
      h("span", {}, icon("user"), words(one.owner))),
    action(one, () => line.remove()) || h("span", {}));
  return line;
}

function action(one, over) {
  const place = placeOf(one);
  const look = place && button(one.step ? "Decide" : "Look", { href: place, kind: "small", testid: `look-${one.slug}` });
  if (one.kind === "payment_case" && maySettle()) return h("div", { class: "actions" }, settleButton(one, over), look);
  if (one.change_id && mayOperate()) return h("div", { class: "actions" }, publishAgain(one, over), one.kind === "zone_change_failed" && settleChangeButton(one, over), look);
  if (one.deployment_id && one.step) return button("Decide", { href: `#/instances/${one.deployment_id}`, kind: "small", testid: `decide-${one.slug}` });
  if (one.job_id && one.step && mayOperate()) return h("div", { class: "actions" }, tryAgain(one), look);
  if (look) return look;
  const external = one.kind === "workflow_task_failing" || !one.deployment_id;
  const href = external ? one.temporal_url : `#/instances/${one.deployment_id}`;
  return href && button(external ? "Look in Temporal" : "Look", { href, external, kind: "small", testid: `look-${one.slug}` });
}

function settleButton(one, over) {
  return button("Settle", { kind: "small", testid: `settle-${one.slug}`, on: { click: async () => {
    if (await settleCase(one.event_id, one.what, one.message)) over();
  } } });
}

function settleChangeButton(one, over) {
  return button("Settle", { kind: "small", testid: `settle-${one.slug}`, on: { click: async () => {
    if (await settleZoneChange(one)) over();
  } } });
}

function publishAgain(one, over) {
  const again = button("Try again", { kind: "small", symbol: "retry", testid: `retry-${one.slug}`, title: "Ask for it once more, as the zone's rows say by now", on: { click: async () => {
    try {
      const { change } = await busy(again, () => zones.retryChange(one.zone_id, one.change_id));
      toldOf(change, `${one.label} is as it was wished.`, `${one.label} is tried again.`);
      if (one.kind === "zone_change_failed" || change.state === "published") over();
    } catch (error) { failed(error); }
  } } });
  return again;
}

// Where it can be seen: an order with all of its parts, or the one job.
function placeOf(one) {
  if (one.deployment_id) return null;
  if (one.zone_id) return `#/zones/${one.zone_id}`;
  if (one.order_id && (!one.job_type || DELIVERY.test(one.job_type))) return `#/orders/${one.order_id}`;
  return one.job_id ? `#/jobs/${one.job_id}` : one.subscription_id && `#/subscriptions/${one.subscription_id}`;
}

function tryAgain(one) {
  const again = button("Try again", { kind: "small", symbol: "retry", testid: `retry-${one.slug}`, title: "Retry this step as it is, once the cause is gone", on: { click: async () => {
    try {
      await busy(again, () => sales.retryJob(one.job_id, one.step));
      said(`${one.what.split(":")[0]} is tried again.`);
    } catch (error) { failed(error); }
  } } });
  return again;
}
