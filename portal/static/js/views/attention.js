// What needs a person: oldest first, with what happened, since when, until when, and who may end it.

import { button } from "../components/basics.js";
import { h, replace } from "../dom.js";
import { brief, dateTime, now, since, spaced, words } from "../format.js";
import { icon } from "../icons.js";

const KINDS = {
  waits_for_operator: "Waits for a decision",
  escalated: "Overdue: nobody decided in time",
  workflow_task_failing: "The run's code fails",
  not_started: "Not started",
};

// `missing` says which part of the list could not be asked for; an empty list must not hide that.
export function attentionList(place, items, missing) {
  if (!items.length && !missing) { place.replaceChildren(); delete place.dataset.shown; return; }
  const text = JSON.stringify([items, missing]);
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  const title = items.length ? `${items.length} ${items.length === 1 ? "thing needs" : "things need"} somebody` : "Nothing known needs somebody";
  const sorted = [...items].sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
  replace(place, h("section", { class: "card attention", "aria-label": "Needs somebody", testid: "attention" },
    h("div", { class: "card-head" }, h("h2", {}, icon("hand"), title)),
    h("ul", { class: "attention-list" }, sorted.map(item)),
    missing && h("p", { class: "card-body small muted", role: "status", testid: "attention-missing" }, missing)));
}

function item(one) {
  const left = (Date.parse(one.until) - now()) / 1000;
  return h("li", { "data-kind": one.kind },
    h("p", {}, h("b", {}, one.organization_name ?? one.slug), h("span", { class: "sub" }, `${KINDS[one.kind] ?? words(one.kind)} · ${one.what}`)),
    h("p", { class: "trouble" }, h("b", {}, `${spaced(one.trouble)}: `), one.message),
    h("p", { class: "when" },
      h("span", { title: dateTime(one.since) }, icon("clock"), "since ", h("span", { "data-since": one.since }, brief(since(one.since)))),
      h("span", { title: dateTime(one.until) }, icon("alert"), left > 0 ? `due in ${brief(left)}` : `overdue by ${brief(-left)}`),
      h("span", {}, icon("user"), words(one.owner))),
    action(one));
}

function action(one) {
  if (one.step) return button("Decide", { href: `#/instances/${one.deployment_id}`, kind: "small", testid: `decide-${one.slug}` });
  const external = one.kind === "workflow_task_failing";
  const href = external ? one.temporal_url : `#/instances/${one.deployment_id}`;
  return button(external ? "Look in Temporal" : "Look", { href, external, kind: "small", testid: `look-${one.slug}` });
}
