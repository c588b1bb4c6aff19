// Certificates by expiry, with what comes next for each; above them the drill that replaces many, below them those that
// were uploaded with their keys.

import { button, chip, empty } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { pagedList } from "../components/pagedlist.js";
import { failed, said } from "../components/toast.js";
import { certificates } from "../certificatesapi.js";
import { actionText, certificateState, daysText, STATES } from "../certificatestates.js";
import { h } from "../dom.js";
import { dateTime, now, words } from "../format.js";
import { mayOperate } from "../session.js";
import { drillBlock } from "./drill.js";
import { uploadBlock } from "./uploads.js";

const EVERY = 15; // seconds between looks
const FILTERS = [
  { name: "search", label: "Search", placeholder: "A part of a name" },
  { name: "state", label: "State", choices: STATES, all: "All that are served" },
];

export function certificatesView({ query, signal }) {
  const list = pagedList({
    title: "Certificates", query, signal, every: EVERY, filters: FILTERS, symbol: "key", noun: "certificates", testid: "certificates",
    ask: async ({ search: name, ...filters }, signal) => {
      const reply = await certificates.list({ ...filters, name }, signal);
      return { items: reply.certificates, pagination: reply.pagination };
    },
    draw: (found) => table(found, () => list.reload()),
    none: () => empty("key", "No certificates yet", h("p", {}, "Each site and each instance gets one when it is made.")),
  });
  const drill = mayOperate() ? drillBlock(signal) : null;
  const uploaded = mayOperate() ? uploadBlock(signal) : null;
  return {
    title: "Certificates",
    element: h("div", { class: "stack" },
      h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Certificates"), drill && h("div", { class: "actions" }, uploaded.begin, drill.begin)),
      drill?.element, list.element, uploaded?.element),
  };
}

function table(found, again) {
  const operates = mayOperate();
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["Name", "Expires", "State", "Next", ...(operates ? [""] : [])].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, found.map((one) => h("tr", { "data-row": one.id, testid: `certificate-${one.domain}` },
      h("td", { class: "message" }, h("b", { class: "break" }, one.domain), h("span", { class: "sub break" }, [...one.names.slice(1), one.issuer].join(" · "))),
      h("td", { class: "left" }, h("time", { datetime: one.valid_to, class: "nowrap" }, dateTime(one.valid_to)), h("span", { class: "sub" }, one.state === "superseded" ? "" : daysText(one.days_left))),
      h("td", { class: "left" }, chip(certificateState(one)), one.shared_key && h("span", { class: "sub" }, "Shared key")),
      h("td", { class: "left message" }, nextOf(one)),
      operates && h("td", { class: "end" }, one.state !== "superseded" && button("Renew now", { kind: "small", testid: `renew-${one.domain}`, on: { click: () => askRenew(one, again).catch(failed) } }))))));
}

// A moment that has passed is seen to by the next sweep, within a minute.
function nextOf({ renewal, superseded_at: replaced }) {
  if (replaced) return h("span", { class: "muted" }, `Replaced ${dateTime(replaced)}`);
  if (!renewal.action) return h("span", { class: "muted" }, renewal.why ? words(renewal.why) : "Nothing by itself");
  const late = Date.parse(renewal.at) < now();
  return [h("b", {}, actionText(renewal.action)), " ", h("time", { datetime: renewal.at, class: "nowrap" }, late ? "now" : dateTime(renewal.at)),
    h("span", { class: "sub" }, renewal.why), renewal.failure && h("span", { class: "sub error-text" }, renewal.failure.message)];
}

async function askRenew(one, again) {
  const fresh = h("input", { type: "checkbox", name: "fresh", testid: "renew-fresh" });
  const possible = await certificates.nextIssuance(one.domain);
  const yes = await ask({
    title: `Renew ${one.domain} now?`, symbol: "retry", tone: "run", yes: "Renew it", kind: "primary", testid: "renew-dialog",
    body: [h("p", {}, "The old certificate is served until the new one is seen from outside."),
      h("p", { class: possible.now ? "small muted" : "small error-text", testid: "renew-possible" }, possibleText(possible)), h("label", { class: "check" }, fresh, h("span", {}, "With a new key, because the one in use may be known"))],
    act: () => certificates.renew(one.domain, fresh.checked),
  });
  if (!yes) return;
  said(`The renewal of ${one.domain} has begun.`);
  again();
}

// By our ledger of the CA's limits. A renewal of the same names inside its window is exempt from them.
function possibleText({ now: open, at, left, why }) {
  if (!open) return `A new certificate for these names is possible from ${dateTime(at)} on: ${why}. A renewal inside its window is exempt.`;
  return left === null ? "Its CA limits nothing that we know of." : `Its CA would issue ${left} more for these names now.`;
}
