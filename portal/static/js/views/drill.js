// A drill: how far the last one is, and the question that begins another. For operators.

import { repeat } from "../clock.js";
import { bullets, button, card, chip, redraw } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field, fillSelect, select } from "../components/field.js";
import { failed, said } from "../components/toast.js";
import { drills } from "../certificatesapi.js";
import { caName, drillState } from "../certificatestates.js";
import { h } from "../dom.js";
import { dateTime } from "../format.js";

const EVERY = 5; // seconds between looks
const PACE = 600; // certificates an hour, as a first thought

export function drillBlock(signal) {
  const place = h("div", { testid: "drill-place" });
  let drawn = "";
  const look = async () => {
    const { drills: [last] } = await drills.list(signal);
    const text = JSON.stringify(last ?? null);
    if (text === drawn) return;
    drawn = text;
    redraw(place, last && block(last, look));
  };
  repeat(look, EVERY, signal, (error) => { if (error.status !== 401 && error.status !== 429) failed(error); });
  const begin = button("Replace many", { symbol: "retry", testid: "begin-drill", on: { click: () => askBegin(signal, look).catch(failed) } });
  return { element: place, begin };
}

export const aboutText = ({ ca, key_type: key }) => [ca && `issued by ${caName(ca)}`, key && `with a key of type ${key}`].filter(Boolean).join(", ");

function block(one, look) {
  const act = (what, label, options) => button(label, { kind: "small", testid: `drill-${what}`, ...options, on: { click: async () => {
    try { await drills.act(one.id, what); await look(); } catch (error) { failed(error); }
  } } });
  const runs = one.state === "running";
  const tools = (runs || one.state === "paused") && h("div", { class: "actions" },
    runs ? act("pause", "Pause", { symbol: "hand" }) : act("resume", "Go on", { symbol: "retry" }),
    button("Stop", { kind: "small danger", symbol: "stop", testid: "drill-stop", on: { click: () => askStop(one, look).catch(failed) } }));
  return card(["Drill ", chip(drillState(one.state), { testid: "drill-state" })], {
    sub: `Certificates ${aboutText(one)}, ${one.pace_per_hour} an hour. ${one.reason}`, tools, testid: "drill",
    body: h("div", { class: "drill" }, bar(one), h("p", { class: "small muted", testid: "drill-next" }, nextText(one))),
  });
}

function bar(one) {
  const done = one.replaced + one.gone;
  const text = [`${one.replaced} of ${one.total} replaced`, one.under_way && `${one.under_way} under way`, one.failing && `${one.failing} failing`,
    one.gone && `${one.gone} not needed any more`, one.waiting && `${one.waiting} waiting`].filter(Boolean).join(", ");
  const part = (count, tone) => count > 0 && h("span", { class: `tone-${tone}`, style: { width: `${(100 * count) / one.total}%` } });
  return [h("div", { class: "drill-bar", role: "progressbar", "aria-label": "Certificates replaced", "aria-valuemin": "0", "aria-valuemax": String(one.total), "aria-valuenow": String(done), "aria-valuetext": text, testid: "drill-bar" },
    part(one.replaced, "ok"), part(one.gone, "idle"), part(one.under_way - one.failing, "run"), part(one.failing, "warn")),
  h("p", { testid: "drill-text" }, text)];
}

function nextText(one) {
  if (one.ended_at) return `Ended ${dateTime(one.ended_at)}; begun ${dateTime(one.created_at)} by ${one.requested_by}.`;
  if (one.why) return `Held up: ${one.why}.`;
  if (one.state === "paused") return "No further certificate is begun until somebody lets it go on.";
  return one.last_about ? `The last one is begun about ${dateTime(one.last_about)}.` : "All are begun; what fails is tried again.";
}

function askStop(one, look) {
  return ask({
    title: "Stop the drill?", symbol: "stop", tone: "warn", yes: "Stop it", testid: "drill-stop-dialog",
    body: [bullets("info", "warn", [`${one.waiting} certificates stay as they are and are renewed in their own time`, "What has begun is finished, or tried again"])],
    act: async () => { await drills.act(one.id, "stop"); await look(); said("The drill is stopped."); },
  });
}

async function askBegin(signal, look) {
  const { holdings } = await drills.list(signal);
  if (!holdings.length) { said("There is no certificate that could be replaced."); return; }
  const sums = (name) => [...new Set(holdings.map((one) => one[name]).filter(Boolean))].map((value) => [value, holdings.filter((one) => one[name] === value).reduce((sum, one) => sum + one.certificates, 0)]);
  const subjects = [...sums("ca").map(([ca, count]) => [`ca ${ca}`, `Issued by ${caName(ca)} (${count})`]), ...sums("key_type").map(([key, count]) => [`key ${key}`, `With a key of type ${key} (${count})`])];
  const which = select("Which certificates", subjects, { name: "which", testid: "drill-which" });
  fillSelect(which.control, subjects, subjects[0][0]);
  const pace = field("Certificates an hour", { name: "pace", value: String(PACE), inputmode: "numeric", required: true, testid: "drill-pace" });
  const reason = field("Reason", { name: "reason", optional: true, hint: "Shown here and written to the audit log.", testid: "drill-reason" });
  const fresh = h("input", { type: "checkbox", name: "fresh", testid: "drill-fresh" });
  const fields = { pacePerHour: pace, reason };
  const yes = await ask({
    title: "Replace many certificates?", symbol: "retry", tone: "warn", yes: "Begin", kind: "primary", testid: "drill-dialog",
    body: [h("p", {}, "Each is renewed as always, the soonest to expire first, and the old one is served until the new one is seen."), which.element, pace.element,
      h("label", { class: "check" }, fresh, h("span", {}, "With new keys; always so where it is about a type of key")), reason.element],
    act: async () => {
      for (const one of Object.values(fields)) one.error("");
      const at = which.value.indexOf(" ");
      const [kind, value] = [which.value.slice(0, at), which.value.slice(at + 1)];
      try {
        await drills.begin({ ...(kind === "ca" ? { ca: value } : { keyType: value }), pacePerHour: Number(pace.value) || 0, freshKey: fresh.checked, reason: reason.value.trim() });
      } catch (error) {
        for (const [key, one] of Object.entries(fields)) if (error.fields?.[key]) { one.error(error.fields[key]); one.control.focus(); }
        throw error;
      }
    },
  });
  if (!yes) return;
  said("The drill has begun.");
  await look();
}
