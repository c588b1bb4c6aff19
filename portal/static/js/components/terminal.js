// The log as in a terminal: it follows the end until somebody scrolls up, shows one step when asked, and copies.

import { clockTime } from "../format.js";
import { h, replace, setText } from "../dom.js";
import { fillSelect } from "./field.js";
import { button, copyButton } from "./basics.js";

const MOST = 5000; // lines kept on the page; the API keeps all
const LEVELS = new Set(["info", "out", "err", "warning"]); // ours, what a server said on its two streams, somebody is needed
const NEAR = 32; // pixels from the end that count as the end

export class Terminal {
  constructor(signal) {
    this.lines = [];
    this.titles = new Map();
    this.step = "";
    this.following = true;
    this.pending = [];
    this.frame = null;
    this.log = h("div", { class: "terminal-log", testid: "log-terminal", role: "log", "aria-label": "Log lines", "aria-live": "off", tabindex: "0", on: { scroll: () => this.scrolled() } });
    this.filter = h("select", { class: "terminal-select", "aria-label": "Show the lines of", testid: "log-filter", on: { change: () => this.pick(this.filter.value) } });
    this.followButton = button("Follow", { kind: "small terminal-button", symbol: "down", testid: "log-follow", on: { click: () => this.follow(true) } });
    this.connection = h("span", { class: "connection", role: "status", testid: "connection" });
    this.count = h("span", { class: "terminal-count" });
    this.element = h("section", { class: "terminal", "aria-label": "Log" },
      h("div", { class: "terminal-bar" }, h("h2", {}, "Log"), this.connection, this.count,
        h("div", { class: "terminal-tools" }, this.filter, this.followButton, copyButton("Copy the shown lines", () => this.text(), "small icon terminal-button"))),
      this.log);
    this.filters();
    this.follow(true);
    this.hint();
    signal.addEventListener("abort", () => cancelAnimationFrame(this.frame));
  }

  setSteps(steps) {
    const titles = new Map(steps.map((step) => [step.name, step.title]));
    if ([...titles.keys()].join() === [...this.titles.keys()].join()) return;
    this.titles = titles;
    this.filters();
  }

  filters() {
    fillSelect(this.filter, [["", "All steps"], ...[...this.titles]], this.step);
  }

  pick(step) {
    this.step = step;
    this.filter.value = step;
    this.pending = [];
    replace(this.log, this.shown().map((line) => this.row(line)));
    if (!this.log.children.length) this.hint();
    this.follow(true);
    this.counted();
  }

  shown() { return this.step ? this.lines.filter((line) => line.step === this.step) : this.lines; }

  hint() { replace(this.log, h("p", { class: "terminal-empty" }, this.step ? "No lines of this step yet." : "Lines appear here as the run goes on.")); }

  add(lines) {
    this.lines.push(...lines);
    const last = this.lines.length - lines.length - 1;
    if (last >= 0 && lines[0].position < this.lines[last].position) {
      this.lines.sort((a, b) => a.position - b.position); // the second way of reading was faster for a moment
      this.pick(this.step);
    } else {
      this.pending.push(...lines.filter((line) => !this.step || line.step === this.step));
    }
    if (this.lines.length > MOST) this.lines.splice(0, this.lines.length - MOST);
    this.frame ??= requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.frame = null;
    if (this.pending.length) {
      this.log.querySelector(".terminal-empty")?.remove();
      const part = document.createDocumentFragment();
      part.append(...this.pending.splice(0).map((line) => this.row(line)));
      this.log.append(part);
      while (this.log.children.length > MOST) this.log.firstChild.remove();
      if (this.following) this.toEnd();
    }
    this.counted();
  }

  row(line) {
    return h("div", { class: `line level-${LEVELS.has(line.level) ? line.level : "info"}` }, h("time", { datetime: line.timestamp }, clockTime(line.timestamp)),
      h("span", { class: "line-step" }, line.step ?? ""), h("span", { class: "line-text" }, line.message));
  }

  text() {
    return this.shown().map((line) => `${line.timestamp} ${line.step ?? ""} ${line.message}`).join("\n");
  }

  counted() { setText(this.count, `${this.shown().length} lines`); }

  toEnd() { this.log.scrollTop = this.log.scrollHeight; }

  scrolled() {
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR;
    if (atEnd !== this.following) this.follow(atEnd, { move: false });
  }

  follow(on, { move = true } = {}) {
    this.following = on;
    this.followButton.setAttribute("aria-pressed", String(on));
    setText(this.followButton.lastChild, on ? "Following" : "Follow");
    if (on && move) this.toEnd();
  }

  connected(state) {
    const text = { live: "Live", polling: "Every 5 s", offline: "No connection", done: "Complete" }[state];
    this.connection.dataset.state = state;
    setText(this.connection, text);
  }
}
