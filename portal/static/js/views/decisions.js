// The decisions that undo something: each says what it will undo and what stays billed before it is taken.

import { api } from "../api.js";
import { bullets } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field } from "../components/field.js";
import { said } from "../components/toast.js";
import { h } from "../dom.js";
import { dateTime, money } from "../format.js";
import { mayOperate } from "../session.js";
import { isBare } from "../states.js";

// What the run's undos do, by the step that brought them along.
const EFFECTS = {
  reserve: "The reserved names and the place are released",
  create_server: "The server is cancelled at the cloud and everything on it is lost",
  publish_dns: "The DNS records are withdrawn",
};
const SHARED_EFFECTS = {
  create_server: "The server is cancelled at the cloud, unless others have a place on it by now",
  transfer_files: "The application, its data and its certificate are removed from the server",
};

const SERVER_EFFECTS = { reserve: "The reserved name and price are released", create_server: EFFECTS.create_server };

const touched = (step) => step.started_at || (step.state && !["pending", "skipped"].includes(step.state));

function undone(status) {
  const effects = { shared: { ...EFFECTS, ...SHARED_EFFECTS }, server: SERVER_EFFECTS }[status.deployment_type] ?? EFFECTS;
  const lines = (status.steps ?? []).filter(touched).map((step) => effects[step.name]).filter(Boolean);
  return lines.length ? lines.reverse() : [effects.reserve];
}

function billing(status) {
  const ordered = (status.steps ?? []).some((step) => step.name === "create_server" && touched(step));
  if (!ordered) return "No server was ordered for this run, so nothing of it is billed afterwards.";
  const until = status.vps?.billed_until;
  const price = status.price_cents_month ? ` of ${money(status.price_cents_month, status.currency)} a month` : "";
  return `The cloud may bill the server's contract${price} ${until ? `until ${dateTime(until)}` : "until the end of its paid period"}. What it confirmed is listed on this page afterwards.`;
}

const consequences = (status, lines) => [
  h("div", {}, h("h3", {}, "What will be undone"), bullets("undo", "bad", lines)),
  h("div", {}, h("h3", {}, "What stays billed"), bullets("info", "warn", [billing(status)])),
];

export function askRollBack(status) {
  const reason = field("Reason", { name: "reason", optional: true, hint: "Written to the audit log.", testid: "rollback-reason" });
  return ask({
    title: "Roll this run back?", symbol: "undo", tone: "bad", yes: "Roll back", testid: "rollback-dialog",
    body: [...consequences(status, undone(status)), h("p", {}, "A rollback cannot be stopped.", !isBare(status) && [" The name ", h("b", {}, status.slug), " is free again afterwards."]), reason.element],
    act: async () => { await api.rollBack(status.id, reason.value.trim()); said("The run is being rolled back."); },
  });
}

export function askCancel(status) {
  return ask({
    title: "Cancel this run?", symbol: "stop", tone: "bad", yes: "Cancel the run", testid: "cancel-dialog",
    body: [h("p", {}, "The step that runs is ended, and everything done so far is undone."), ...consequences(status, undone(status))],
    act: async () => { await api.cancel(status.id); said("The run is being cancelled."); },
  });
}

export function askTerminate(status) {
  const typed = field(`Type ${status.slug} to confirm`, { name: "confirm", autocomplete: "off", spellcheck: "false", testid: "terminate-slug" });
  const now = h("input", { type: "checkbox", checked: true, testid: "terminate-immediately" });
  const shared = status.vps?.is_shared;
  return ask({
    title: `Terminate ${isBare(status) ? status.slug : status.organization_name ?? status.slug}?`, symbol: "trash", tone: "bad", yes: "Terminate", testid: "terminate-dialog",
    body: [
      h("p", {}, isBare(status) ? "The server and everything on it are lost for good. There is no way back." : "The application and all of its data are removed for good. There is no way back."),
      bullets("undo", "bad", [...(isBare(status) ? [] : ["The DNS records are withdrawn", "The application and its data are removed from the server"]), shared ? "Its place on the shared server is free again" : "The server is cancelled at the cloud"]),
      !shared && h("label", { class: "check" }, now, h("span", {}, h("b", {}, "End the server's contract now, where the cloud allows it"), h("span", { class: "hint" }, "Otherwise it is cancelled for the end of the paid period and billed until then."))),
      typed.element,
    ],
    ready: (allow) => { allow(false); typed.control.addEventListener("input", () => allow(typed.value.trim() === status.slug)); },
    act: async () => { await api.terminate(status.id, now.checked); said(isBare(status) ? "The server is being deleted." : "The instance is being terminated."); },
  });
}

// What may be decided now; the API has the last word.
export function decisions(status) {
  if (!mayOperate()) return { cancel: false, rollBack: false, terminate: false };
  const parked = (status.parked ?? []).length > 0;
  const running = status.phase === "running" && !status.done;
  return {
    rollBack: running && parked,
    cancel: running && !parked,
    terminate: status.phase === "active" || (status.status === "active" && status.phase === undefined),
  };
}
