// The parts of a run that go on side by side, each with its steps as a list.

import { h, replace } from "../dom.js";
import { duration } from "../format.js";
import { icon } from "../icons.js";
import { jobName, jobState } from "../salesstates.js";
import { stepState } from "../states.js";
import { chip, redraw } from "./basics.js";
import { secondsOf } from "./stepgraph.js";

export class Parts {
  constructor(onPick) {
    this.onPick = onPick;
    this.shown = new Map();
    this.element = h("ol", { class: "parts", testid: "parts", hidden: true });
  }

  update(jobs) {
    this.element.hidden = jobs.length === 0;
    const ids = jobs.map((job) => job.id).join();
    if (ids !== this.ids) {
      this.ids = ids;
      this.places = new Map(jobs.map((job) => [job.id, h("li", { class: "part", testid: `part-${job.type}` })]));
      this.shown.clear();
      replace(this.element, [...this.places.values()]);
    }
    for (const job of jobs) this.show(job);
  }

  show(job) {
    const text = JSON.stringify([job.status, job.attention, job.steps, job.status_message]);
    if (this.shown.get(job.id) === text) return;
    this.shown.set(job.id, text);
    redraw(this.places.get(job.id),
      h("div", { class: "part-head" }, h("h3", {}, jobName(job.type)), chip(jobState(job))),
      job.status_message && h("p", { class: "small muted break" }, job.status_message),
      h("ol", { class: "part-steps" }, job.steps.map((step) => this.step(step))));
  }

  step(step) {
    const state = stepState(step.state);
    const seconds = step.ended_at ? secondsOf(step) : null;
    return h("li", {}, h("button", { type: "button", class: `part-step tone-${state.tone}${state.live ? " live" : ""}`, testid: `step-${step.name}`, title: step.message, on: { click: () => this.onPick(step.name) } },
      icon(state.icon), h("span", {}, step.title), h("span", { class: "part-state" }, seconds === null ? state.label : `${state.label}, ${duration(seconds)}`)));
  }
}
