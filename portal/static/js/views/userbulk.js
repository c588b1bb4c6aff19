// Several users at once: which are chosen, what is done to them, and what became of each.

import { api } from "../api.js";
import { button, notice } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { select } from "../components/field.js";
import { failed, said } from "../components/toast.js";
import { h, replace, setText } from "../dom.js";
import { ROLES, roleName } from "../states.js";

const ACTIONS = [["disable", "Disable"], ["activate", "Enable"], ["role", "Change the role"]];

export class UserBulk {
  constructor(reload) {
    this.reload = reload;
    this.boxes = new Map(); // by id: { user, input }, of the page that is shown
    this.chosen = h("p", { class: "chosen", role: "status", testid: "bulk-count" });
    this.action = select("Action", ACTIONS, { name: "action", testid: "bulk-action" });
    this.role = select("New role", ROLES, { name: "role", value: "USER", testid: "bulk-role" });
    this.results = h("div", { testid: "bulk-results" });
    this.action.control.addEventListener("change", () => this.show());
    this.bar = h("div", { class: "bulk", role: "group", "aria-label": "What is done to the chosen users", testid: "bulk" }, this.chosen, this.action.element, this.role.element,
      button("Apply", { kind: "primary", testid: "bulk-apply", on: { click: () => this.apply().catch(failed) } }));
    this.element = h("div", {}, this.bar, this.results);
    this.begin([]);
  }

  // A new page is drawn: nothing of it is chosen yet.
  begin(users) {
    this.boxes.clear();
    const every = h("input", { type: "checkbox", disabled: !users.length, "aria-label": "Choose all on this page", testid: "choose-all", on: { change: () => {
      for (const { input } of this.boxes.values()) input.checked = every.checked;
      this.show();
    } } });
    this.every = every;
    this.all = h("label", { class: "box" }, every);
    this.show();
  }

  box(user) {
    const input = h("input", { type: "checkbox", "aria-label": `Choose ${user.username}`, testid: `choose-${user.username}`, on: { change: () => this.show() } });
    this.boxes.set(user.id, { user, input });
    return h("label", { class: "box" }, input);
  }

  get users() { return [...this.boxes.values()].filter(({ input }) => input.checked).map(({ user }) => user); }

  show() {
    const { length } = this.users;
    this.bar.hidden = !length;
    this.role.element.hidden = this.action.value !== "role";
    this.every.checked = length > 0 && length === this.boxes.size;
    this.every.indeterminate = length > 0 && length < this.boxes.size;
    setText(this.chosen, length ? `${length} chosen` : "");
  }

  async apply() {
    const users = this.users;
    const action = this.action.value;
    const role = action === "role" ? this.role.value : undefined;
    const what = role ? `Make them ${roleName(role)}` : ACTIONS.find(([key]) => key === action)[1];
    let results = [];
    const yes = await ask({
      title: `${what}: ${users.length} ${users.length === 1 ? "user" : "users"}?`, symbol: "user", tone: "warn", yes: what, kind: action === "disable" ? "danger solid" : "primary", testid: "bulk-dialog",
      body: h("p", { class: "break" }, users.map((one) => one.username).join(", ")),
      act: async () => { results = await api.bulkUsers({ ids: users.map((one) => one.id), action, role }); },
    });
    if (!yes) return;
    const refused = results.filter((one) => !one.ok);
    const nameOf = (id) => users.find((one) => one.id === id)?.username ?? id;
    replace(this.results, refused.length > 0 && h("div", { class: "card-body" }, notice("warn", "alert",
      h("p", {}, h("b", {}, `${refused.length} of ${results.length} were not changed`)),
      h("ul", {}, refused.map((one) => h("li", {}, `${nameOf(one.id)}: ${one.error}`))))));
    if (results.length > refused.length) said(`${results.length - refused.length} of ${results.length} are changed.`);
    await this.reload();
  }
}
