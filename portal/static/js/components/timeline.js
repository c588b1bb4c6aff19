// How long each step took, to scale: bars on one axis of time, the running ones growing.

import { clockTime, duration, now } from "../format.js";
import { h, replace, setText } from "../dom.js";
import { stepState } from "../states.js";
import { secondsOf } from "./stepgraph.js";

const NICE = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 172800, 604800];
const SHORTEST = 0.6; // percent: a step of a moment is still seen

export class Timeline {
  constructor() {
    this.rows = new Map();
    this.steps = [];
    this.axis = h("div", { class: "axis", "aria-hidden": "true" });
    this.list = h("ol", { class: "bars" });
    this.element = h("div", { class: "timeline", testid: "timeline" }, this.axis, this.list);
  }

  update(steps) {
    this.steps = steps;
    const shape = steps.map((step) => step.name).join();
    if (shape !== this.shape) {
      this.shape = shape;
      this.rows = new Map(steps.map((step) => [step.name, this.row(step)]));
      replace(this.list, [...this.rows.values()].map((row) => row.element));
    }
    this.tick();
  }

  row(step) {
    const bar = h("span", { class: "bar" });
    const time = h("span", { class: "bar-time" });
    return { bar, time, element: h("li", {}, h("span", { class: "bar-label", title: step.title }, step.title), h("span", { class: "bar-track" }, bar, time)) };
  }

  tick() {
    const begun = this.steps.filter((step) => step.started_at);
    if (!begun.length) { this.axis.replaceChildren(); return; }
    const start = Math.min(...begun.map((step) => Date.parse(step.started_at)));
    const open = begun.some((step) => !step.ended_at);
    const end = Math.max(...begun.map((step) => (step.ended_at ? Date.parse(step.ended_at) : now())), open ? now() : 0);
    const span = Math.max(5, (end - start) / 1000) * 1.04;
    this.ticks(span, start);
    for (const step of this.steps) {
      const { bar, time, element } = this.rows.get(step.name);
      const seconds = secondsOf(step);
      const state = stepState(step.state);
      element.className = `tone-${state.tone}${state.live ? " live" : ""}`;
      bar.hidden = seconds === null;
      if (seconds === null) { setText(time, ""); continue; }
      const left = ((Date.parse(step.started_at) - start) / 1000 / span) * 100;
      const width = Math.max(SHORTEST, (seconds / span) * 100);
      bar.style.left = `${left}%`;
      bar.style.width = `${Math.min(width, 100 - left)}%`;
      bar.title = `${step.title}: ${state.label}, ${duration(seconds)}, from ${clockTime(step.started_at)}`;
      setText(time, duration(seconds));
      const before = left + width > 72; // no room to the right of the bar
      time.classList.toggle("before", before);
      time.style.left = before ? "auto" : `${left + width}%`;
      time.style.right = before ? `${100 - left}%` : "auto";
      time.classList.toggle("inside", before && left < 22);
      if (before && left < 22) time.style.right = `${100 - left - width}%`;
    }
  }

  ticks(span, start) {
    const most = Math.min(6, Math.max(2, Math.floor(this.axis.clientWidth / 78)));
    const unit = NICE.find((one) => span / one < most) ?? Math.ceil(span / most / 86400) * 86400;
    const text = `${unit} ${Math.floor(span / unit)} ${start}`;
    const marks = [];
    for (let at = 0; at <= span * 0.9; at += unit) marks.push(at); // the last tenth has no room for a word
    if (this.shownTicks !== text) {
      this.shownTicks = text;
      replace(this.axis, marks.map((at) => h("span", {}, at === 0 ? clockTime(start) : `+${axisText(at)}`)));
    }
    [...this.axis.children].forEach((mark, i) => { mark.style.left = `${(marks[i] / span) * 100}%`; });
  }
}

const axisText = (seconds) => (seconds < 60 ? `${seconds} s` : seconds < 3600 ? `${seconds / 60} min` : seconds < 86400 ? `${+(seconds / 3600).toFixed(1)} h` : `${+(seconds / 86400).toFixed(1)} d`);
