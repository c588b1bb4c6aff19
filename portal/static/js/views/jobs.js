// The runs that deliver orders, change subscriptions and set servers up.

import { chip, empty } from "../components/basics.js";
import { pagedList } from "../components/pagedlist.js";
import { h } from "../dom.js";
import { dateTime } from "../format.js";
import { sales } from "../salesapi.js";
import { choices, JOB, JOB_TYPES, jobName, jobState } from "../salesstates.js";

const EVERY = 15; // seconds between looks
const FILTERS = [
  { name: "type", label: "Kind", choices: Object.entries(JOB_TYPES) },
  { name: "status", label: "State", choices: choices(JOB) },
];

export function jobsView({ query, signal }) {
  const list = pagedList({
    title: "Jobs", query, signal, every: EVERY, filters: FILTERS, symbol: "gear", noun: "jobs", testid: "jobs",
    ask: async (filters, signal) => {
      const reply = await sales.jobs(filters, signal);
      return { items: reply.jobs, pagination: reply.pagination };
    },
    draw: jobTable,
    none: () => empty("gear", "No jobs yet", h("p", {}, "Deliveries, changes and set-ups stand here as they run.")),
  });
  return { title: "Jobs", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "Jobs"), list.element) };
}

export function jobTable(jobs) {
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["Job", "State", "What it says", "Created"].map((text, i) => h("th", { scope: "col", class: i === 3 ? "end" : undefined }, text)))),
    h("tbody", {}, jobs.map((one) => h("tr", { "data-row": one.id, testid: `job-${one.id}` },
      h("td", {}, h("a", { class: "row-link", href: `#/jobs/${one.id}` }, jobName(one.type)), h("span", { class: "sub mono" }, one.workflow_id)),
      h("td", {}, chip(jobState(one))),
      h("td", { class: "left message break" }, one.parked[0]?.message ?? one.error_message ?? one.status_message, one.requested_by && h("span", { class: "sub" }, `Asked for by ${one.requested_by}`)),
      h("td", { class: "end nowrap muted hide-small" }, h("time", { datetime: one.created_at }, dateTime(one.created_at)))))));
}
