// One server of the house: what it holds, its key, its set-up as it runs, and whether it takes something new.

import { button, busy, card, chip, empty } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field } from "../components/field.js";
import { Head } from "../components/head.js";
import { JobRun } from "../components/jobrun.js";
import { livePage } from "../components/livepage.js";
import { room } from "../components/room.js";
import { failed, said } from "../components/toast.js";
import { h, replace } from "../dom.js";
import { dateTime } from "../format.js";
import { go } from "../router.js";
import { sales } from "../salesapi.js";
import { houseServerState, jobState } from "../salesstates.js";
import { mayOperate } from "../session.js";
import { changeServer, keyLine } from "./houseserverform.js";
import { typeName } from "./houseservers.js";

export function houseServerView({ params, signal }) {
  if (!mayOperate()) {
    return { title: "House server", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "House server"), empty("server", "Servers of the house are shown to operators")) };
  }
  return livePage({
    title: "House server", noun: "server", signal,
    read: async (signal) => {
      const server = await sales.houseServer(params.id, signal);
      return { server, job: server.set_up && await sales.job(server.set_up.id, signal) };
    },
    build: (data, again) => new ServerPage(again, signal),
    over: ({ server, job }) => !job || (Boolean(job.ended_at) && server.status !== "PENDING"),
  });
}

class ServerPage {
  constructor(again, signal) {
    this.again = again;
    this.head = new Head("House server");
    this.title = this.head.title;
    this.keys = h("div", {});
    this.setUp = h("div", { class: "page-head section-head" });
    this.run = new JobRun(again, signal);
    this.element = h("div", { class: "stack run" }, this.head.element, this.keys, this.setUp, this.run.element);
  }

  async update({ server, job }) {
    const living = Boolean(job && !job.ended_at);
    this.head.update(server.hostname, houseServerState(server.status), "", [server, living], () => ({
      under: h("span", { class: "muted" }, `${server.ip_address}, port ${server.ssh_port}`),
      facts: [["Type", typeName(server.type)], ["Room", room(server)], ["Registered", dateTime(server.created_at)], ["Set up to", server.set_up_version && `version ${server.set_up_version}`]],
      actions: server.status === "REMOVED" ? [] : this.actions(server, living),
    }));
    const text = JSON.stringify([server.public_key, server.host_key]);
    if (text !== this.shownKeys) { this.shownKeys = text; replace(this.keys, keys(server)); }
    replace(this.setUp, h("h2", {}, "Set-up"), job && chip(jobState(job)));
    this.setUp.hidden = this.run.element.hidden = !job;
    if (job) await this.run.update(job);
  }

  actions(server, living) {
    const act = (label, testid, symbol, work, done, kind = "") => {
      const made = button(label, { symbol, kind, testid, on: { click: async () => {
        try { await busy(made, work); said(done); this.again(); } catch (error) { failed(error); }
      } } });
      return made;
    };
    const move = (status) => () => sales.changeServer(server.id, { status });
    return [
      button("Change", { testid: "change-server", on: { click: () => changeServer(server, this.again).catch(failed) } }),
      server.status === "ACTIVE" && act("Drain", "drain", "hand", move("DRAINING"), `${server.hostname} takes nothing new.`),
      server.status === "DRAINING" && act("Open again", "open-again", "check", move("ACTIVE"), `${server.hostname} takes new accounts again.`),
      act(living ? "Go on with the set-up" : "Set up again", "set-up", "retry", () => sales.setUpServer(server.id), "The set-up goes on."),
      living && act("End the set-up", "end-set-up", "stop", () => sales.endSetUp(server.id), "The set-up is being ended.", "danger"),
      !living && button("Remove", { symbol: "trash", kind: "danger", testid: "remove-server", on: { click: () => askRemove(server).catch(failed) } }),
    ];
  }
}

function keys(server) {
  if (!server.public_key && !server.host_key) return null;
  return card("Keys", { body: h("div", { class: "card-body stack" },
    server.public_key && h("div", {}, h("p", { class: "label" }, "Ours, for /root/.ssh/authorized_keys"), keyLine(server.public_key)),
    server.host_key && h("div", {}, h("p", { class: "label" }, "Its host key"), h("code", { class: "break small" }, server.host_key))) });
}

async function askRemove(server) {
  const typed = field(`Type ${server.hostname} to confirm`, { name: "confirm", autocomplete: "off", spellcheck: "false", testid: "remove-confirm" });
  const yes = await ask({
    title: `Remove ${server.hostname}?`, symbol: "trash", tone: "bad", yes: "Remove it", testid: "remove-dialog",
    body: [h("p", {}, "Its key is destroyed, and nothing is done on it any more. What lives there must be gone before."), typed.element],
    ready: (allow) => { allow(false); typed.control.addEventListener("input", () => allow(typed.value.trim() === server.hostname)); },
    act: () => sales.removeServer(server.id),
  });
  if (!yes) return;
  said(`${server.hostname} is removed.`);
  go("/house-servers");
}
