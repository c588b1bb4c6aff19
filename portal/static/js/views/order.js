// One order: its delivery with its three parts, what waits for a decision, what goes back, and what the payment service said.

import { bullets, button, card, chip, empty } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field } from "../components/field.js";
import { Head } from "../components/head.js";
import { JobRun } from "../components/jobrun.js";
import { livePage } from "../components/livepage.js";
import { failed, said } from "../components/toast.js";
import { h, replace } from "../dom.js";
import { dateTime, price, words } from "../format.js";
import { sales } from "../salesapi.js";
import { eventState, orderState, refundState, subscriptionState } from "../salesstates.js";
import { mayOperate, maySeeStaffPages, maySettle } from "../session.js";
import { ATTENTION } from "../states.js";
import { settleCase } from "./cases.js";
import { orderName } from "./orders.js";

const PARTS = ["PROVISION_DNS", "PROVISION_HOSTING", "PROVISION_MAIL"];

export function orderView({ params, signal }) {
  return livePage({
    title: "Order", noun: "order", signal, read: (signal) => sales.order(params.id, signal),
    build: (data, again) => new OrderPage(again, signal),
    over: ({ jobs, refunds }) => jobs.every((job) => job.ended_at) && refunds.every((one) => one.ended_at),
  });
}

// The delivery and its parts; what came later to the subscription is shown with that.
export function deliveryOf(jobs) {
  const job = jobs.find((one) => one.type === "FULFIL_ORDER");
  return { job, parts: PARTS.map((type) => jobs.find((one) => one.type === type && one.parent_id === job?.id)).filter(Boolean) };
}

class OrderPage {
  constructor(again, signal) {
    this.again = again;
    this.head = new Head("Order");
    this.title = this.head.title;
    this.run = new JobRun(again, signal);
    this.money = h("div", { class: "stack" });
    this.element = h("div", { class: "stack run" }, this.head.element, this.run.element, this.money);
  }

  async update({ order, subscription, zones, jobs, refunds, payment_events: events }) {
    const { job, parts } = deliveryOf(jobs);
    const waits = [job, ...parts].filter((one) => one?.parked.length);
    const state = waits.length && !job.ended_at ? ATTENTION[waits.some((one) => one.attention === "escalated") ? "escalated" : "awaiting_operator"] : orderState(order.status);
    this.head.update(orderName(order), state, job?.status_message ?? "", [order, subscription, zones, job?.phase, job?.attention, job?.ended_at, refunds], () => ({
      under: h("span", { class: "muted" }, [order.domain ? order.customer_email : "A name of the platform", order.stripe_payment_intent_id].filter(Boolean).join(" · ")),
      facts: [
        ["Total", price(order.total_amount, order.currency)], ["Ordered", dateTime(order.created_at)], ["Tenant", order.tenant], ["Told by", words(order.source)],
        ["Subscription", h("a", { href: `#/subscriptions/${subscription.id}`, testid: "to-subscription" }, subscriptionState(subscription.status).label)],
        ["Zone", zones.length > 0 && h("a", { class: "break", href: `#/zones/${zones[0].id}`, testid: "to-zone" }, zones[0].zone_name)],
        ["Refund", refunds.length > 0 && refundState(refunds.at(-1).status).label],
      ],
      actions: [
        job?.temporal_url && button("Workflow", { symbol: "open", href: job.temporal_url, external: true, testid: "open-temporal", title: "This run in Temporal's web page" }),
        mayOperate() && job && !job.ended_at && waits.length > 0 && button("Roll back", { kind: "danger", symbol: "undo", testid: "rollback", on: { click: () => this.rollBack(order, waits[0], [job, ...parts]) } }),
      ],
    }));
    const text = JSON.stringify([refunds, events]);
    if (text !== this.shownMoney) { this.shownMoney = text; replace(this.money, refundList(refunds), maySeeStaffPages() && eventList(events, this.again)); }
    this.run.element.hidden = !job;
    if (job) await this.run.update(job, parts);
  }

  async rollBack(order, job, jobs) {
    try { if (await askRollBack(order, job, jobs)) this.again(); } catch (error) { failed(error); }
  }
}

function askRollBack(order, job, jobs) {
  const reason = field("Reason", { name: "reason", optional: true, hint: "Written to the audit log.", testid: "rollback-reason" });
  const begun = jobs.filter((one) => one.steps.some((step) => step.started_at));
  const made = begun.map((one) => ({ PROVISION_DNS: "The zone and its records are withdrawn", PROVISION_HOSTING: "The site and its account are removed", PROVISION_MAIL: "The mailbox is removed" })[one.type]).filter(Boolean);
  return ask({
    title: "Take this order back?", symbol: "undo", tone: "bad", yes: "Roll back", testid: "rollback-dialog",
    body: [
      h("div", {}, h("h3", {}, "What will be undone"), bullets("undo", "bad", [...made, "The names and places are released"])),
      h("div", {}, h("h3", {}, "What goes back"), bullets("info", "warn", [order.total_amount > 0 ? `${price(order.total_amount, order.currency)} to ${order.customer_email}` : "Nothing: the order was free"])),
      h("p", {}, "A rollback cannot be stopped."), reason.element],
    act: async () => { await sales.rollBackJob(job.id, reason.value.trim()); said("The order is being taken back."); },
  });
}

function refundList(refunds) {
  if (!refunds.length) return null;
  return card("Refunds", { testid: "refunds", body: h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["Amount", "State", "Why", "Asked"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, refunds.map((one) => h("tr", {},
      h("td", {}, h("b", { class: "nowrap" }, price(one.amount, one.currency)), one.stripe_refund_id && h("span", { class: "sub mono" }, one.stripe_refund_id)),
      h("td", {}, chip(refundState(one.status))),
      h("td", { class: "left break" }, one.reason || "–", one.requested_by && h("span", { class: "sub" }, `by ${one.requested_by}`)),
      h("td", { class: "left" }, h("time", { datetime: one.created_at }, dateTime(one.created_at))))))) });
}

function eventList(events, again) {
  return card("What the payment service said", { testid: "payment-events", body: events.length
    ? h("table", { class: "table" },
      h("thead", {}, h("tr", {}, ["Message", "Came of it", "", "When"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, events.map((one) => h("tr", {},
        h("td", { class: "break" }, h("b", {}, one.type), h("span", { class: "sub mono" }, one.id), !one.livemode && h("span", { class: "tag" }, "Test")),
        h("td", { class: "left" }, chip(eventState(one)), one.settled_by && h("span", { class: "sub" }, `by ${one.settled_by}`)),
        h("td", { class: "left message break" }, one.message, one.outcome === "case" && !one.settled_at && maySettle() && h("div", { class: "below" }, settleButton(one, again))),
        h("td", { class: "left" }, h("time", { datetime: one.happened_at }, dateTime(one.happened_at)))))))
    : empty("ledger", "Nothing was told by the payment service", h("p", {}, "The order came from elsewhere.")) });
}

const settleButton = (one, again) => button("Settle", { kind: "small", testid: `settle-${one.id}`, on: { click: async () => {
  if (await settleCase(one.id, one.type, one.message)) again();
} } });

