// One subscription: its site and names, its mailboxes, its backups, what was done to it, and what may be done.

import { card, chip, empty, notice } from "../components/basics.js";
import { Head } from "../components/head.js";
import { livePage } from "../components/livepage.js";
import { h, replace } from "../dom.js";
import { dateTime } from "../format.js";
import { sales } from "../salesapi.js";
import { backupState, jobName, jobState, serviceState, subscriptionState } from "../salesstates.js";
import { mayOperate } from "../session.js";
import { mailboxAccess, siteAccess } from "./access.js";
import { jobTable } from "./jobs.js";
import { buttonsOf } from "./subscriptionchanges.js";
import { nextOf } from "./subscriptions.js";

const SERVED = new Set(["ACTIVE", "PAST_DUE"]);

export function subscriptionView({ params, signal }) {
  return livePage({
    title: "Subscription", noun: "subscription", signal, every: 10, read: (signal) => sales.subscription(params.id, signal),
    build: (data, again) => new SubscriptionPage(again),
    over: ({ subscription, jobs }) => subscription.status === "TERMINATED" && jobs.every((job) => job.ended_at),
  });
}

// The name it is reached by: the site's, or the one that was asked for until there is a site.
const nameOf = ({ subscription, hosting_accounts: accounts, domains }) =>
  accounts.find((one) => one.status !== "REMOVED")?.fqdn ?? domains[0]?.name ?? subscription.domain ?? subscription.customer_email;

class SubscriptionPage {
  constructor(again) {
    this.again = again;
    this.head = new Head("Subscription");
    this.title = this.head.title;
    this.trouble = h("div", { class: "stack", hidden: true });
    this.parts = h("div", { class: "halves" });
    this.jobs = h("div", {});
    this.element = h("div", { class: "stack" }, this.head.element, this.trouble, this.parts, this.jobs);
  }

  async update(all) {
    const { subscription, order } = all;
    const name = nameOf(all);
    this.head.update(name, subscriptionState(subscription.status), "", [subscription, order.id, name, all.changes], () => ({
      under: SERVED.has(subscription.status) ? h("a", { href: `https://${name}`, target: "_blank", rel: "noopener noreferrer", testid: "site-link" }, `https://${name}`) : h("span", { class: "muted" }, name),
      facts: [
        ["Customer", subscription.customer_email], ["Tenant", subscription.tenant], ["Since", dateTime(subscription.activated_at ?? subscription.created_at)],
        ["Period until", subscription.current_period_end ? dateTime(subscription.current_period_end) : "Paid once"], ["Next", h("span", { testid: "next" }, nextOf(subscription))],
        ["Order", h("a", { href: `#/orders/${order.id}`, testid: "to-order" }, dateTime(order.created_at))],
      ],
      actions: buttonsOf(all, name, this.again),
    }));
    this.troubles(all);
    const text = JSON.stringify([all.domains, all.zones, all.hosting_accounts, all.mailboxes, all.backups]);
    if (text !== this.shownParts) { this.shownParts = text; replace(this.parts, site(all, this.again), names(all), mailboxes(all, this.again), backups(all)); }
    const jobs = JSON.stringify(all.jobs);
    if (jobs !== this.shownJobs) { this.shownJobs = jobs; replace(this.jobs, card("What was done", { testid: "subscription-jobs", body: jobTable(all.jobs.filter((job) => !job.parent_id)) })); }
  }

  troubles({ subscription: one, jobs }) {
    const running = jobs.find((job) => !job.ended_at && !job.parent_id);
    const text = JSON.stringify([one.status, one.suspended_for, one.past_due_since, running?.id, running?.attention]);
    if (text === this.shownTrouble) return;
    this.shownTrouble = text;
    const told = [
      running && notice(jobState(running).tone, jobState(running).icon, h("b", {}, `${jobName(running.type)}: ${jobState(running).label.toLowerCase()}. `), h("a", { href: placeOf(running, one) }, "Look at it")),
      one.status === "SUSPENDED" && notice("bad", "stop", h("b", {}, "The site says that it is suspended. "), one.suspended_for && `Why: ${one.suspended_for}`),
      one.status === "PAST_DUE" && notice("warn", "alert", h("b", {}, "A payment is missing "), `since ${dateTime(one.past_due_since)}. Everything works until the grace is over.`),
      one.cancel_at_period_end && one.status !== "TERMINATED" && notice("warn", "info", h("b", {}, "It was cancelled. "), "It works until its paid period is over; a last backup is kept then."),
    ].filter(Boolean);
    this.trouble.hidden = told.length === 0;
    replace(this.trouble, told);
  }
}

const placeOf = (job, subscription) => (job.type === "FULFIL_ORDER" ? `#/orders/${subscription.order_id}` : `#/jobs/${job.id}`);
const serverOf = (one) => one.server_id && mayOperate() && h("a", { href: `#/house-servers/${one.server_id}` }, "its server");
const size = (mb) => (mb >= 1024 ? `${+(mb / 1024).toFixed(1)} GB` : `${mb} MB`);

function list(title, testid, items, none, draw) {
  return card(title, { testid, body: items.length ? h("ul", { class: "things" }, items.map((one) => h("li", {}, draw(one)))) : empty("dot", none) });
}

const line = (name, state, ...more) => [h("div", { class: "thing-head" }, h("b", { class: "break" }, name), chip(state)), h("p", { class: "small muted break" }, ...more)];

const site = ({ hosting_accounts: accounts }, again) => list("Site", "sites", accounts, "No site yet", (one) => [
  ...line(one.fqdn, serviceState(one.status), `${one.runtime}, ${size(one.quota_mb)}, user `, h("span", { class: "mono" }, one.system_user), serverOf(one) && [", on ", serverOf(one)]),
  siteAccess(one, again)]);

const names = ({ domains, zones }) => list("Names", "names", [...domains, ...zones], "No names yet", (one) =>
  line(one.name ?? h("a", { href: `#/zones/${one.id}`, testid: `zone-${one.zone_name}` }, one.zone_name), serviceState(one.status), one.name ? (one.expires_at ? `Domain, until ${dateTime(one.expires_at)}` : "Domain") : `Zone, ${one.kind}${one.serial ? `, serial ${one.serial}` : ""}`));

const mailboxes = ({ mailboxes: boxes }, again) => list("Mailboxes", "mailboxes", boxes, "No mailbox", (one) => [
  ...line(one.email, serviceState(one.status), size(one.quota_mb), one.server_id ? serverOf(one) && [", on ", serverOf(one)] : ", kept as a record only"),
  mailboxAccess(one, again)]);

const backups = ({ backups: kept }) => list("Backups", "backups", kept, "No backup yet", (one) =>
  line(one.reason === "last" ? "The last one" : "Made by hand", backupState(one.status), dateTime(one.created_at), one.size_bytes !== null && `, ${(one.size_bytes / 1048576).toFixed(1)} MB`, one.keep_until && `, kept until ${dateTime(one.keep_until)}`));

