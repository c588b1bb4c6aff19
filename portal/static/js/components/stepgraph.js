// The step graph of a run: nodes stand where graph.js puts them, edges are drawn behind. Lies down where there is
// room for it, stands up on a narrow page. Nodes are kept and changed in place, so focus and animation survive.

import { clockTime, dateTime, duration, now } from "../format.js";
import { layOut } from "../graph.js";
import { h, replace, setText, svg } from "../dom.js";
import { icon } from "../icons.js";
import { isRunning, stepState } from "../states.js";

const NODE_HEIGHT = 84;
const LEAST_WIDTH = 98; // of a node lying down
const GAP = { across: 14, along: 22 };

export class StepGraph {
  constructor({ onPick, still = false }, signal) {
    this.onPick = onPick;
    this.still = still; // a plan has no states
    this.nodes = new Map();
    this.steps = [];
    this.edges = svg("svg", { class: "graph-edges", "aria-hidden": "true" });
    this.list = h("ol", { class: "graph-nodes" });
    this.element = h("div", { class: "graph", testid: "step-graph" }, this.edges, this.list);
    const watcher = new ResizeObserver(() => this.place());
    watcher.observe(this.element);
    signal.addEventListener("abort", () => watcher.disconnect());
  }

  update(steps) {
    const shape = JSON.stringify(steps.map(({ name, after }) => [name, after]));
    this.steps = steps;
    if (shape !== this.shape) {
      this.shape = shape;
      this.layout = layOut(steps);
      this.nodes = new Map(steps.map((step) => [step.name, this.node(step)]));
      replace(this.list, [...this.nodes.values()].map((node) => node.element));
      this.place();
    }
    for (const step of steps) this.show(step);
    this.colourEdges();
  }

  node(step) {
    const parts = {
      mark: h("span", { class: "node-mark" }), title: h("span", { class: "node-title" }, step.title),
      state: h("span", { class: "node-state" }), time: h("span", { class: "node-time" }), attempt: h("span", { class: "node-attempt" }),
    };
    const button = h("button", { type: "button", class: "node", testid: `step-${step.name}`, on: { click: () => this.onPick?.(step.name) } },
      parts.title, h("span", { class: "node-bottom" }, parts.mark, parts.state, parts.time, parts.attempt));
    return { ...parts, button, element: h("li", {}, button) };
  }

  show(step) {
    const node = this.nodes.get(step.name);
    const state = stepState(step.state);
    if (node.button.dataset.state !== step.state || node.shownNumber !== step.number) {
      node.button.dataset.state = step.state;
      node.shownNumber = step.number;
      node.button.className = `node tone-${state.tone}${state.live ? " live" : ""}`;
      if (this.still || !step.state || step.state === "pending") replace(node.mark, step.number ? String(step.number) : icon("dot"));
      else replace(node.mark, icon(state.icon));
      setText(node.state, this.still ? (step.number ? `Step ${step.number} of 7` : "") : state.short);
      node.button.setAttribute("aria-label", `${step.title}: ${this.still ? step.message : state.label}`);
    }
    setText(node.attempt, step.attempt > 1 ? `×${step.attempt}` : "");
    node.button.title = [step.message, step.attempt > 1 && `try ${step.attempt}`, step.started_at && `from ${clockTime(step.started_at)}`, step.ended_at && `until ${dateTime(step.ended_at)}`].filter(Boolean).join(", ");
    this.tickOne(step);
  }

  tickOne(step) {
    const node = this.nodes.get(step.name);
    const seconds = secondsOf(step);
    setText(node.time, seconds === null ? "" : duration(seconds));
  }

  tick() {
    for (const step of this.steps) if (isRunning(step.state) || !step.ended_at) this.tickOne(step);
  }

  place() {
    const width = this.element.clientWidth;
    if (!width || !this.layout) return;
    const { layers, lanes, nodes } = this.layout;
    const lying = width >= layers * LEAST_WIDTH + (layers - 1) * GAP.along;
    const size = lying
      ? { w: Math.min(150, (width - (layers - 1) * GAP.along) / layers), h: NODE_HEIGHT }
      : { w: Math.min(230, (width - (lanes - 1) * GAP.across) / lanes), h: NODE_HEIGHT };
    const stepX = lying ? size.w + GAP.along : size.w + GAP.across;
    const stepY = lying ? size.h + GAP.across : size.h + GAP.along;
    this.boxes = new Map();
    for (const { name, layer, lane } of nodes) {
      const [x, y] = lying ? [layer * stepX, lane * stepY] : [lane * stepX, layer * stepY];
      this.boxes.set(name, { x, y, ...size });
      const { style } = this.nodes.get(name).element;
      style.transform = `translate(${x}px, ${y}px)`;
      style.width = `${size.w}px`;
      style.height = `${size.h}px`;
    }
    const total = lying
      ? { w: (layers - 1) * stepX + size.w, h: (lanes - 1) * stepY + size.h }
      : { w: (lanes - 1) * stepX + size.w, h: (layers - 1) * stepY + size.h };
    this.list.style.width = `${total.w}px`;
    this.list.style.height = `${total.h}px`;
    this.edges.setAttribute("width", total.w);
    this.edges.setAttribute("height", total.h);
    this.paths = this.layout.edges.map(({ from, to }) => ({ from, to, element: svg("path", { d: curve(this.boxes.get(from), this.boxes.get(to), lying) }) }));
    replace(this.edges, this.paths.map((path) => path.element));
    this.colourEdges();
  }

  colourEdges() {
    const states = new Map(this.steps.map((step) => [step.name, step.state]));
    for (const { from, to, element } of this.paths ?? []) {
      const passed = states.get(from) === "done";
      element.setAttribute("class", passed && isRunning(states.get(to)) ? "edge moving" : passed && states.get(to) === "done" ? "edge passed" : "edge");
    }
  }
}

export function secondsOf(step) {
  if (!step.started_at) return null;
  if (step.ended_at) return step.seconds ?? (Date.parse(step.ended_at) - Date.parse(step.started_at)) / 1000;
  return (now() - Date.parse(step.started_at)) / 1000;
}

// Straight within a lane; otherwise one bend right after leaving or right before arriving, whichever keeps clear.
function curve(a, b, lying) {
  const [sx, sy, ex, ey] = lying ? [a.x + a.w, a.y + a.h / 2, b.x, b.y + b.h / 2] : [a.x + a.w / 2, a.y + a.h, b.x + b.w / 2, b.y];
  if (lying) {
    if (Math.abs(sy - ey) < 1) return `M${sx} ${sy}H${ex}`;
    const leaving = b.x - (a.x + a.w) <= GAP.along + 1;
    const bend = leaving ? sx + GAP.along / 2 : ex - GAP.along / 2;
    return rounded(sx, sy, bend, ey, ex);
  }
  if (Math.abs(sx - ex) < 1) return `M${sx} ${sy}V${ey}`;
  const leaving = b.y - (a.y + a.h) <= GAP.along + 1;
  const bend = leaving ? sy + GAP.along / 2 : ey - GAP.along / 2;
  const r = Math.min(9, Math.abs(ex - sx) / 2, GAP.along / 2);
  const side = Math.sign(ex - sx);
  return `M${sx} ${sy}V${bend - r}Q${sx} ${bend} ${sx + side * r} ${bend}H${ex - side * r}Q${ex} ${bend} ${ex} ${bend + r}V${ey}`;
}

function rounded(sx, sy, bend, ey, ex) {
  const r = Math.min(9, Math.abs(ey - sy) / 2, GAP.along / 2);
  const side = Math.sign(ey - sy);
  return `M${sx} ${sy}H${bend - r}Q${bend} ${sy} ${bend} ${sy + side * r}V${ey - side * r}Q${bend} ${ey} ${bend + r} ${ey}H${ex}`;
}
