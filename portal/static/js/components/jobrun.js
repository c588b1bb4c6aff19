// A job as it runs, with its parts: what waits for a decision, its graph, its times, its log, and the proofs behind it.

import { everySecond } from "../clock.js";
import { h } from "../dom.js";
import { sales } from "../salesapi.js";
import { JobStory } from "../jobstory.js";
import { isRunning } from "../states.js";
import { Absence } from "./absence.js";
import { card } from "./basics.js";
import { ParkedPanel } from "./parked.js";
import { Parts } from "./parts.js";
import { StepGraph } from "./stepgraph.js";
import { Terminal } from "./terminal.js";
import { Timeline } from "./timeline.js";

export class JobRun {
  constructor(decided, signal) {
    this.decided = decided;
    this.panels = new Map();
    const pick = (step) => this.pick(step);
    this.graph = new StepGraph({ onPick: pick }, signal);
    this.backGraph = new StepGraph({ onPick: pick }, signal);
    this.parts = new Parts(pick);
    this.timeline = new Timeline();
    this.terminal = new Terminal(signal);
    this.absence = new Absence();
    this.story = new JobStory((lines) => this.terminal.add(lines), signal);
    this.waiting = h("div", { class: "stack parked-list", hidden: true });
    this.back = h("div", { class: "earlier", hidden: true }, h("h3", { class: "back-title" }, "The way back"), h("div", { class: "graph-place" }, this.backGraph.element));
    this.element = h("div", { class: "stack" }, this.waiting, this.absence.element,
      h("div", { class: "run-grid" },
        card("Steps", { sub: "Branches side by side run at the same time. A step shows its own log lines.", body: [h("div", { class: "card-body graph-place" }, this.graph.element), this.parts.element, this.back], kind: "graph-card" }),
        h("div", { class: "run-below" }, card("Times", { body: h("div", { class: "card-body" }, this.timeline.element), kind: "times" }), this.terminal.element)));
    everySecond(() => this.tick(), signal);
  }

  async update(job, parts = []) {
    const steps = job.steps.filter((step) => step.family !== "way_back");
    const back = [job, ...parts].flatMap((one) => one.steps.filter((step) => step.family === "way_back"));
    this.steps = [...steps, ...parts.flatMap((part) => part.steps.filter((step) => step.family !== "way_back")), ...back];
    this.graph.update(steps);
    this.parts.update(parts.map((part) => ({ ...part, steps: part.steps.filter((step) => step.family !== "way_back") })));
    this.back.hidden = back.length === 0;
    this.backGraph.update(back);
    this.timeline.update(this.steps.filter((step) => step.started_at));
    this.terminal.setSteps(this.steps);
    this.parked([job, ...parts]);
    this.absence.update(job);
    this.terminal.connected(job.ended_at ? "done" : "polling");
    await this.story.update([job, ...parts]);
  }

  parked(jobs) {
    const waits = jobs.flatMap((job) => job.parked.map((one) => ({ job, one, key: `${job.id} ${one.step} ${one.since} ${Boolean(one.undoing)}` })));
    const wanted = new Set(waits.map(({ key }) => key));
    for (const [key, panel] of this.panels) if (!wanted.has(key)) { panel.element.remove(); this.panels.delete(key); }
    for (const { job, one, key } of waits.sort((a, b) => Date.parse(a.one.since) - Date.parse(b.one.since))) {
      if (this.panels.has(key)) { this.panels.get(key).update(one); continue; }
      const panel = new ParkedPanel((step, changes) => sales.retryJob(job.id, step, changes), one, job.steps.find((step) => step.name === one.step), this.decided);
      this.panels.set(key, panel);
      this.waiting.append(panel.element);
    }
    this.waiting.hidden = waits.length === 0;
  }

  pick(step) {
    this.terminal.pick(this.terminal.step === step ? "" : step);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.terminal.element.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }

  tick() {
    for (const panel of this.panels.values()) panel.tick();
    if ((this.steps ?? []).some((step) => isRunning(step.state) || (step.started_at && !step.ended_at))) { this.graph.tick(); this.timeline.tick(); }
  }
}
