// One server: what it is, how it fares, what can be asked of it, and what was.

import { api } from "../api.js";
import { repeat } from "../clock.js";
import { cloudName, specsText } from "../clouds.js";
import { announce, button, card, chip, copyButton, empty, notice, skeleton, updateChip } from "../components/basics.js";
import { actionName, askDelete, PowerButtons } from "../components/power.js";
import { failed } from "../components/toast.js";
import { h, replace, setText } from "../dom.js";
import { dateTime, hourly, money } from "../format.js";
import { maySeeStaffPages, mayOrderServers } from "../session.js";
import { actionState, serverState } from "../states.js";
import { missing } from "./missing.js";

const EVERY = 5; // seconds between looks while something is under way
const CALM = 30_000; // milliseconds otherwise: as long as the API takes a look at the cloud for fresh

export function serverView({ params, signal }) {
  const root = h("div", { class: "stack run" }, h("h1", { tabindex: "-1" }, "Server"), h("section", { class: "card" }, skeleton("40%", "80%", "60%")));
  const page = new ServerPage(params.id, root, signal);
  repeat(() => page.look(), EVERY, signal, (error) => page.unseen(error));
  return { title: "Server", element: root };
}

class ServerPage {
  constructor(id, root, signal) {
    Object.assign(this, { id, root, signal, turn: 0, seenAt: 0, moving: true, over: false });
  }

  async look({ now = false } = {}) {
    if (this.over || (!now && !this.moving && Date.now() - this.seenAt < CALM)) return;
    const mine = ++this.turn;
    const reply = await api.vps(this.id, this.signal);
    if (mine !== this.turn) return; // a newer look is under way
    this.seenAt = Date.now();
    this.update(reply);
  }

  unseen(error) {
    if (error.status === 404) {
      this.over = true;
      replace(this.root, missing("There is no such server."));
    } else if (error.status !== 401 && error.status !== 429) {
      failed(error);
      if (!this.server) replace(this.root, h("h1", { tabindex: "-1" }, "Server"), notice("bad", "alert", error.message, " It is tried again."));
    }
  }

  build() {
    this.parts = {
      title: h("h1", { tabindex: "-1" }), chip: chip({ label: "", tone: "idle", icon: "dot" }, { large: true, testid: "server-chip" }),
      address: h("p", { class: "run-url" }), message: h("p", { class: "run-message", testid: "server-message" }), facts: h("dl", { class: "run-facts", testid: "server-facts" }),
      links: h("div", { class: "actions" }), notes: h("div", { class: "stack", testid: "server-notes" }), history: h("div", { testid: "server-history" }),
    };
    const again = () => this.look({ now: true }).catch((error) => { if (!this.signal.aborted) this.unseen(error); });
    this.power = new PowerButtons(() => this.server, again);
    this.remove = button("Delete", { kind: "danger", symbol: "trash", testid: "delete-server", on: { click: () => askDelete(this.server, dateTime).then((yes) => yes && again()) } });
    const { title, chip: state, address, message, facts, links, notes, history } = this.parts;
    this.actions = card("Actions", { sub: "One at a time; the cloud carries them out", testid: "server-actions-card",
      body: h("div", { class: "card-body split" }, this.power.element, this.remove) });
    replace(this.root,
      h("section", { class: "card run-head", "aria-label": "Server" },
        h("div", { class: "run-top" }, h("div", { class: "run-title" }, h("div", { class: "run-name" }, title, state), address), links), message, facts),
      notes, this.actions, card("What was asked of it", { body: history }));
    title.focus({ preventScroll: true });
  }

  update({ instance: server, actions, stale_reason: stale }) {
    if (!this.server) this.build();
    this.server = server;
    const open = actions.find((one) => !one.ended_at);
    this.moving = Boolean(open) || ["pending", "provisioning", "terminating"].includes(server.lifecycle);
    document.title = `${server.label}: ${serverState(server).label} · Slipway`;
    setText(this.parts.title, server.label);
    updateChip(this.parts.chip, serverState(server));
    setText(this.parts.message, server.lifecycle === "active" ? "" : server.status_message ?? "");
    this.tell(server, actions);
    this.head(server);
    this.notes(server, stale);
    const mine = mayOrderServers();
    this.power.update(server, open?.action);
    this.remove.hidden = server.lifecycle !== "active" || !server.deployment_id;
    this.remove.disabled = Boolean(open);
    this.actions.hidden = !mine || server.lifecycle !== "active";
    this.history(actions);
  }

  head(server) {
    const text = JSON.stringify({ ...server, seen_at: null, updated_at: null });
    if (text === this.shownHead) return;
    this.shownHead = text;
    const address = (one) => [h("span", {}, one), copyButton(`Copy ${one}`, one)];
    const fact = (label, ...value) => value[0] && h("div", {}, h("dt", {}, label), h("dd", {}, value));
    const { plan_specs: specs, monthly_rate: month, currency } = server;
    replace(this.parts.address, server.ip_address ? h("span", { class: "credential" }, address(server.ip_address)) : h("span", { class: "muted" }, "No address yet"));
    replace(this.parts.facts,
      fact("Cloud", [cloudName(server.provider_type), server.region].filter(Boolean).join(", ")), fact("Size", server.type), fact("Machine", specsText(specs)), fact("Image", server.image),
      fact("IPv6", server.ipv6_address && h("span", { class: "break" }, server.ipv6_address)),
      fact("Price", month !== null && `${money(month * 100, currency)} / month`, server.hourly_rate ? `, ${hourly(server.hourly_rate, currency)} / hour` : ""),
      fact("Name at the cloud", server.provider_instance_id && h("span", { class: "break" }, server.provider_instance_id)),
      fact("Tags", server.tags.join(", ")), fact("Ordered", dateTime(server.created_at)), fact("Paid until", server.billed_until && dateTime(server.billed_until)));
    replace(this.parts.links, server.deployment_id && button(server.attention && server.attention !== "none" ? "Decide in its run" : "Its run", { href: `#/instances/${server.deployment_id}`, symbol: "anchor", testid: "server-run", title: "The steps of its making, and what it waits for" }));
  }

  notes(server, stale) {
    const waits = server.attention && server.attention !== "none";
    const carries = !server.deployment_id && server.lifecycle === "active";
    const text = JSON.stringify([stale, server.missing, waits, server.error_message, server.lifecycle, carries, stale && server.seen_at]);
    if (text === this.shownNotes) return;
    this.shownNotes = text;
    const tenants = h("span", {});
    replace(this.parts.notes,
      server.missing && notice("bad", "alert", h("b", {}, "The cloud knows no such server any more. "), "It may have been deleted there."),
      waits && notice("warn", "hand", h("b", {}, "Its run needs a decision. "), server.error_message ?? "A step could not be done."),
      !waits && server.error_message && server.lifecycle !== "active" && notice("bad", "alert", server.error_message),
      stale && notice("warn", "clock", h("b", {}, "This may be old. "), stale, server.seen_at && ` Last seen ${dateTime(server.seen_at)}.`),
      carries && notice("idle", "info", h("p", {}, "Instances live on this server", tenants, ". It ends with them and cannot be deleted here.")));
    this.parts.notes.hidden = !this.parts.notes.children.length;
    if (carries && maySeeStaffPages()) this.tenants(tenants).catch(() => {}); // the sentence stands without the names
  }

  async tenants(place) {
    const living = await api.organizations(this.id, this.signal);
    if (living.length) replace(place, ": ", living.map((one, i) => [i > 0 && ", ", h("a", { href: `#/instances/${one.deployment_id}` }, one.name)]));
  }

  history(actions) {
    const text = JSON.stringify(actions);
    if (text === this.shownHistory) return;
    this.shownHistory = text;
    if (!actions.length) { replace(this.parts.history, empty("power", "Nothing was asked of it yet")); return; }
    replace(this.parts.history, h("table", { class: "table" },
      h("thead", {}, h("tr", {}, ["Action", "State", "What went wrong", "By", "When"].map((one, i) => h("th", { scope: "col", class: i === 4 ? "end" : undefined }, one)))),
      h("tbody", {}, actions.map((one) => h("tr", { testid: `done-${one.action}` },
        h("td", {}, h("b", {}, actionName(one.action))), h("td", {}, chip(actionState(one.state))),
        h("td", { class: one.error_message ? "left message error-text" : "hide-small" }, one.error_message ?? "–"), h("td", { class: "left" }, one.requested_by || "–"),
        h("td", { class: "end nowrap muted" }, h("time", { datetime: one.created_at }, dateTime(one.created_at))))))));
  }

  // What changed since the last look is spoken in one sentence; the first look is not a change.
  tell(server, actions) {
    const news = [];
    const newest = actions[0] && `${actionName(actions[0].action)}: ${actionState(actions[0].state).label}`;
    const state = `Server: ${serverState(server).label}`;
    if (this.told && newest && newest !== this.told.newest) news.push(newest);
    if (this.told && state !== this.told.state) news.push(state);
    this.told = { newest, state };
    if (news.length) announce(news.join(". "));
  }
}
