// What can be asked of a server, with a question first where somebody could lose something.

import { api } from "../api.js";
import { CLOUDS } from "../clouds.js";
import { h } from "../dom.js";
import { busy, button } from "./basics.js";
import { ask } from "./dialog.js";
import { field } from "./field.js";
import { failed, said } from "./toast.js";

// `when`: the power state it makes sense in; a server of unknown power may be asked anything.
export const POWER = {
  power_on: { label: "Power on", symbol: "power", when: "stopped" },
  shutdown: { label: "Shut down", symbol: "stop", when: "running", loses: "The system is asked to end. Nothing answers on it until it is powered on again, and it goes on costing money." },
  reboot: { label: "Reboot", symbol: "retry", when: "running", loses: "Whatever runs on it is interrupted until the system is up again." },
  power_off: { label: "Power off", symbol: "cross", when: "running", hard: true, loses: "As if it was unplugged: what is not written to disk is lost. It goes on costing money." },
  power_cycle: { label: "Power cycle", symbol: "undo", when: "running", hard: true, loses: "Off and on again by force: what is not written to disk is lost." },
};
export const actionName = (action) => POWER[action]?.label ?? action;

export class PowerButtons {
  // `current` gives the server as it was last seen; `asked` is called once something was sent.
  constructor(current, asked) {
    Object.assign(this, { current, asked, buttons: new Map() });
    for (const [action, { label, symbol, hard }] of Object.entries(POWER)) {
      this.buttons.set(action, button(label, { symbol, kind: hard ? "danger" : "", testid: `action-${action}`, on: { click: () => this.press(action) } }));
    }
    this.element = h("div", { class: "actions", testid: "server-actions" }, [...this.buttons.values()]);
  }

  update(server, busyWith) {
    const standing = server.lifecycle === "active";
    this.element.hidden = !standing;
    for (const [action, one] of this.buttons) {
      const { when } = POWER[action];
      const fits = server.power_state === "unknown" || server.power_state === when;
      one.hidden = action === "power_cycle" && !CLOUDS[server.provider_type]?.powerCycle;
      one.disabled = !fits || Boolean(busyWith);
      one.title = busyWith ? `Busy with: ${actionName(busyWith)}` : fits ? "" : `The server is ${server.power_state}`;
    }
  }

  press(action) {
    const { label, symbol, hard, loses } = POWER[action];
    const { label: name, id, deployment_id: bare } = this.current();
    const send = async () => { await api.actOnVps(id, action); said(`${label} is asked for.`); };
    const done = loses
      ? ask({
        title: `${label} ${name}?`, symbol, tone: hard ? "bad" : "warn", yes: label, kind: hard ? "danger solid" : "primary", testid: "action-dialog",
        body: [h("p", {}, loses), !bare && h("p", {}, "Applications live on this server; they are down meanwhile.")], act: send,
      })
      : busy(this.buttons.get(action), send).then(() => true);
    done.then((yes) => yes && this.asked()).catch(failed);
  }
}

export function askDelete({ id, label, billed_until: until }, when) {
  const typed = field(`Type ${label} to confirm`, { name: "confirm", autocomplete: "off", spellcheck: "false", testid: "delete-label" });
  return ask({
    title: `Delete ${label}?`, symbol: "trash", tone: "bad", yes: "Delete the server", testid: "delete-server-dialog",
    body: [
      h("p", {}, "The server is cancelled at the cloud and everything on it is lost. There is no way back."),
      h("p", {}, until ? `It is paid until ${when(until)}.` : "A cloud that bills by the month may bill it until the end of the paid period."),
      typed.element,
    ],
    ready: (allow) => { allow(false); typed.control.addEventListener("input", () => allow(typed.value.trim() === label)); },
    act: async () => { await api.deleteVps(id); said(`${label} is being deleted.`); },
  });
}
