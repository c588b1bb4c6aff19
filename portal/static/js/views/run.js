// One run, live: where it stands, its graph, its times, its log, and the decisions it waits for.

import { api } from "../api.js";
import { everySecond } from "../clock.js";
import { Absence } from "../components/absence.js";
import { announce, button, card, chip, notice, skeleton, updateChip } from "../components/basics.js";
import { Credentials } from "../components/credentials.js";
import { ParkedPanel } from "../components/parked.js";
import { StepGraph } from "../components/stepgraph.js";
import { Terminal } from "../components/terminal.js";
import { Timeline } from "../components/timeline.js";
import { failed } from "../components/toast.js";
import { h, replace, setText } from "../dom.js";
import { dateTime, duration, money, now, words } from "../format.js";
import { LiveRun } from "../live.js";
import { ENDED, instanceState, isBare, isParked, isRunning, modelName, runOf, stepState } from "../states.js";
import { askCancel, askRollBack, askTerminate, decisions } from "./decisions.js";
import { missing } from "./missing.js";

export function runView({ params, signal }) {
  const root = h("div", { class: "stack run" }, h("h1", { tabindex: "-1" }, "Instance"), h("section", { class: "card" }, skeleton("40%", "80%", "60%", "70%")));
  const page = new RunPage(params.id, root, signal);
  page.start();
  return { title: "Instance", element: root };
}

class RunPage {
  constructor(id, root, signal) {
    Object.assign(this, { id, root, signal, status: null, shown: false, panels: new Map(), states: new Map() });
    this.live = new LiveRun(id, {
      onStatus: (status) => this.update(status),
      onLines: (lines) => this.terminal.add(lines),
      onConnection: (state) => this.terminal.connected(state),
      onError: failed,
    }, signal);
    this.terminal = new Terminal(signal);
    this.graph = new StepGraph({ onPick: (step) => this.pick(step) }, signal);
    this.earlierGraph = new StepGraph({ onPick: (step) => this.pick(step) }, signal);
    this.timeline = new Timeline();
    this.credentials = new Credentials(id);
    this.absence = new Absence();
    everySecond(() => this.tick(), signal);
  }

  async start() {
    try {
      await this.live.start();
    } catch (error) {
      if (this.signal.aborted) return;
      if (error.status === 404 || error.status === 422) replace(this.root, missing("There is no such instance."));
      else {
        failed(error);
        if (!this.shown) replace(this.root, h("h1", { tabindex: "-1" }, "Instance"), notice("bad", "alert", error.message), h("div", {}, button("Try again", { symbol: "retry", on: { click: () => this.start() } })));
        else setTimeout(() => this.start(), 5000);
      }
    }
  }

  build() {
    this.shown = true;
    this.head = {
      title: h("h1", { tabindex: "-1" }), chip: chip({ label: "", tone: "idle", icon: "dot" }, { large: true, testid: "status-chip" }),
      url: h("p", { class: "run-url" }), message: h("p", { class: "run-message", testid: "status-message" }), elapsed: h("dd", {}),
      facts: h("dl", { class: "run-facts" }), actions: h("div", { class: "actions" }), progress: h("div", { class: "progress", role: "progressbar", "aria-label": "Steps done", "aria-valuemin": "0" }),
    };
    const { title, chip: state, url, message, facts, actions, progress } = this.head;
    this.trouble = h("div", { hidden: true });
    this.parkedPlace = h("div", { class: "stack parked-list", hidden: true });
    this.earlierPlace = h("details", { class: "earlier", hidden: true }, h("summary", {}, "How it was provisioned"), h("div", { class: "graph-place" }, this.earlierGraph.element));
    this.decide = this.decisionButtons();
    replace(this.root,
      h("section", { class: "card run-head", "aria-label": "Instance" },
        h("div", { class: "run-top" }, h("div", { class: "run-title" }, h("div", { class: "run-name" }, title, state), url), actions), message, progress, facts),
      this.trouble, this.parkedPlace, this.credentials.element, this.absence.element,
      h("div", { class: "run-grid" },
        card("Steps", { sub: "Branches side by side run at the same time. A step shows its own log lines.", body: [h("div", { class: "card-body graph-place" }, this.graph.element), this.earlierPlace], kind: "graph-card" }),
        h("div", { class: "run-below" },
          card("Times", { body: h("div", { class: "card-body" }, this.timeline.element), kind: "times" }), this.terminal.element)));
    title.focus({ preventScroll: true });
  }

  decisionButtons() {
    const act = (question) => async () => { if (await question(this.status)) this.decided(); };
    return {
      rollBack: button("Roll back", { kind: "danger", symbol: "undo", testid: "rollback", on: { click: act(askRollBack) } }),
      cancel: button("Cancel", { kind: "danger", symbol: "stop", testid: "cancel-run", on: { click: act(askCancel) } }),
      terminate: button("Terminate", { kind: "danger", symbol: "trash", testid: "terminate", on: { click: act(askTerminate) } }),
    };
  }

  decided() {
    this.live.wake().catch((error) => { if (!this.signal.aborted) failed(error); });
  }

  update(status) {
    this.status = status;
    if (!this.shown) this.build();
    const { graph, timed, earlier } = runOf(status);
    const name = (isBare(status) ? status.vps?.hostname || status.slug : status.organization_name ?? status.slug) ?? status.id;
    document.title = `${name}: ${instanceState(status).label} · Slipway`;
    setText(this.head.title, name);
    updateChip(this.head.chip, instanceState(status));
    setText(this.head.message, status.status_message ?? "");
    this.headLinks(status);
    this.progress(graph);
    this.troubles(status);
    this.parked(status);
    this.credentials.update(status);
    this.absence.update(status);
    this.graph.update(graph);
    this.timeline.update(timed);
    this.earlierPlace.hidden = earlier.length === 0;
    this.earlierGraph.update(earlier);
    this.terminal.setSteps([...earlier, ...timed]);
    this.tell(timed, status);
    this.tick();
  }

  headLinks(status) {
    const bare = isBare(status);
    const fqdn = status.fqdn || (bare ? status.vps?.ip || "No address yet" : status.access_url?.replace(/^https?:\/\//, "") || status.slug);
    const text = JSON.stringify([fqdn, status.access_url, status.temporal_url, status.phase, status.vps, status.tier, status.price_cents_month, decisions(status)]);
    if (text === this.shownHead) return;
    this.shownHead = text;
    const up = status.access_url && !bare && !ENDED.has(status.phase) && status.status === "active";
    replace(this.head.url, up ? h("a", { href: status.access_url, target: "_blank", rel: "noopener noreferrer" }, status.access_url) : h("span", { class: "muted" }, fqdn));
    const fact = (label, value) => value && h("div", {}, h("dt", {}, label), value instanceof Node ? value : h("dd", {}, value));
    const server = status.vps?.name ?? status.vps?.vps_name;
    const ip = status.vps?.ip ?? status.vps?.vps_ip;
    replace(this.head.facts, fact("Elapsed", this.head.elapsed), fact("Phase", words(status.phase)), fact("Model", bare ? modelName(status.deployment_type) : `${modelName(status.deployment_type)}, ${status.tier}`),
      bare && fact("For", status.organization_name), bare && fact("Size", [status.vps?.product_name, status.vps?.location].filter(Boolean).join(", ")),
      fact("Server", server && h("dd", {}, h("a", { href: `#/servers/${status.vps.id}` }, server), ip && `, ${ip}`)), fact("Price", status.price_cents_month ? `${money(status.price_cents_month, status.currency)} / month` : null), fact("Ordered", dateTime(status.created_at)));
    const allowed = decisions(status);
    const focused = document.activeElement;
    replace(this.head.actions,
      up && button("Open application", { kind: "primary", symbol: "open", href: status.access_url, external: true, testid: "open-app" }),
      bare && status.vps && button("The server", { kind: "primary", symbol: "server", href: `#/servers/${status.vps.id}`, testid: "open-server" }),
      status.temporal_url && button("Workflow", { symbol: "open", href: status.temporal_url, external: true, testid: "open-temporal", title: "This run in Temporal's web page" }),
      allowed.rollBack && this.decide.rollBack, allowed.cancel && this.decide.cancel, allowed.terminate && this.decide.terminate);
    if (this.head.actions.contains(focused)) focused.focus({ preventScroll: true });
  }

  progress(steps) {
    const done = steps.filter((step) => step.state === "done" || step.state === "undone").length;
    this.head.progress.setAttribute("aria-valuemax", String(steps.length));
    this.head.progress.setAttribute("aria-valuenow", String(done));
    this.head.progress.setAttribute("aria-valuetext", `${done} of ${steps.length} steps`);
    const states = steps.map((step) => stepState(step.state));
    if (this.head.progress.children.length !== steps.length) replace(this.head.progress, steps.map(() => h("span", {})));
    [...this.head.progress.children].forEach((part, i) => { part.className = `tone-${states[i].tone}${states[i].live ? " live" : ""}${steps[i].state === "pending" ? " still" : ""}`; });
  }

  troubles(status) {
    const parked = status.parked ?? [];
    const show = Boolean(status.error_message) && !parked.length && status.status !== "active";
    this.trouble.hidden = !show;
    const text = show ? `${status.error_code} ${status.error_message}` : "";
    if (text === this.shownTrouble) return;
    this.shownTrouble = text;
    replace(this.trouble, show && notice("bad", "alert", h("b", {}, words(status.error_code?.toLowerCase() ?? "failed")), h("p", {}, status.error_message)));
  }

  parked(status) {
    const list = Array.isArray(status.parked) ? status.parked : [];
    const key = (one) => `${one.step} ${one.since} ${Boolean(one.undoing)}`;
    const wanted = new Set(list.map(key));
    for (const [name, panel] of this.panels) if (!wanted.has(name)) { panel.element.remove(); this.panels.delete(name); }
    for (const one of [...list].sort((a, b) => Date.parse(a.since) - Date.parse(b.since))) {
      let panel = this.panels.get(key(one));
      if (!panel) {
        panel = new ParkedPanel((step, changes) => api.retry(this.id, step, changes), one, (status.steps ?? []).find((step) => step.name === one.step), () => this.decided());
        this.panels.set(key(one), panel);
        this.parkedPlace.append(panel.element);
      } else panel.update(one);
    }
    this.parkedPlace.hidden = list.length === 0;
  }

  // Changes of state are spoken, in one sentence for all that came together; the first look is not a change.
  tell(steps, status) {
    const news = [];
    for (const step of steps) {
      const before = this.states.get(step.name);
      if (this.states.size && before !== step.state && step.state !== "pending") news.push(`${step.title}: ${stepState(step.state).label}`);
    }
    const overall = instanceState(status).label;
    if (this.overall && this.overall !== overall) news.push(`${isBare(status) ? "Server" : "Instance"}: ${overall}`);
    this.overall = overall;
    this.states = new Map(steps.map((step) => [step.name, step.state]));
    if (news.length) announce(news.join(". "));
  }

  pick(step) {
    this.terminal.pick(this.terminal.step === step ? "" : step);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.terminal.element.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }

  tick() {
    if (!this.shown) return;
    const { status } = this;
    const { timed: steps, earlier } = runOf(status);
    const moving = !status.done || steps.some((step) => isRunning(step.state) || isParked(step.state));
    const ends = steps.map((step) => Date.parse(step.ended_at)).filter(Number.isFinite);
    const start = Math.min(earlier.length ? Infinity : Date.parse(status.created_at), ...steps.map((step) => Date.parse(step.started_at)).filter(Number.isFinite));
    const end = moving ? now() : Date.parse(status.ended_at ?? status.activated_at) || (ends.length ? Math.max(...ends) : Date.parse(status.updated_at));
    setText(this.head.elapsed, Number.isFinite(start) ? duration((end - start) / 1000) : "0 s");
    for (const panel of this.panels.values()) panel.tick();
    if (moving) { this.graph.tick(); this.timeline.tick(); }
  }
}
