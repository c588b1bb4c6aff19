// What waits for a person: oldest first, with what happened, since when, until when, and who may end it.

import { button } from "../components/basics.js";
import { h, replace } from "../dom.js";
import { brief, dateTime, now, since, spaced, words } from "../format.js";
import { icon } from "../icons.js";

export function attentionList(place, items) {
  if (!items.length) { place.replaceChildren(); return; }
  const text = JSON.stringify(items);
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  const sorted = [...items].sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
  replace(place, h("section", { class: "card attention", "aria-label": "Waiting for a decision", testid: "attention" },
    h("div", { class: "card-head" }, h("h2", {}, icon("hand"), `${items.length} ${items.length === 1 ? "step waits" : "steps wait"} for a decision`)),
    h("ul", { class: "attention-list" }, sorted.map(item))));
}

function item(one) {
  const left = (Date.parse(one.until) - now()) / 1000;
  return h("li", {},
    h("p", {}, h("b", {}, one.organization_name ?? one.slug), h("span", { class: "sub" }, `${words(one.step)}${one.undoing ? ", while undoing" : ""}`)),
    h("p", { class: "trouble" }, h("b", {}, `${spaced(one.trouble)}: `), one.message),
    h("p", { class: "when" },
      h("span", { title: dateTime(one.since) }, icon("clock"), "waits ", h("span", { "data-since": one.since }, brief(since(one.since)))),
      h("span", { title: dateTime(one.until) }, icon("alert"), left > 0 ? `due in ${brief(left)}` : `overdue by ${brief(-left)}`),
      h("span", {}, icon("user"), words(one.owner))),
    button("Decide", { href: `#/instances/${one.deployment_id}`, kind: "small", testid: `decide-${one.slug}` }));
}
