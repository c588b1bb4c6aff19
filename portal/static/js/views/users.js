// Who may sign in: found, made, changed, shut out and removed, alone or several at once.

import { api } from "../api.js";
import { busy, button, chip, empty, skeleton } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { pagedList } from "../components/pagedlist.js";
import { failed, said } from "../components/toast.js";
import { h, replace } from "../dom.js";
import { dateTime } from "../format.js";
import { mayAdminister, user as me } from "../session.js";
import { accountState, ROLES, roleName } from "../states.js";
import { UserBulk } from "./userbulk.js";
import { addUser, editUser } from "./userform.js";

const FILTERS = [
  { name: "search", label: "Search", placeholder: "Name, user name or e-mail" },
  { name: "role", label: "Role", choices: ROLES },
  { name: "status", label: "State", choices: [["active", "Active"], ["disabled", "Disabled"]] },
];

export function usersView({ query, signal }) {
  if (!mayAdminister()) {
    return { title: "Users", element: h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "Users"), empty("user", "Users are shown to administrators")) };
  }
  const counts = h("div", { class: "sums", testid: "user-counts" }, skeleton("50%"));
  const count = async () => {
    try {
      replace(counts, totals(await api.userStats(signal)));
    } catch (error) {
      if (error.name !== "AbortError") replace(counts, h("p", { class: "error-text", role: "alert" }, `The counts could not be read: ${error.message}`));
    }
  };
  const reload = () => Promise.all([list.reload(), count()]);
  const bulk = new UserBulk(reload);
  const list = pagedList({
    title: "Users", query, signal, filters: FILTERS, symbol: "user", noun: "users", testid: "users", above: bulk.element,
    ask: async (filters, signal) => {
      const reply = await api.users(filters, signal);
      return { items: reply.users, pagination: reply.pagination };
    },
    shown: (users) => bulk.begin(users.filter((one) => !isMe(one))),
    draw: (users) => table(users, bulk, reload),
    none: () => empty("user", "No users yet", h("p", {}, "Add somebody to let them sign in.")),
  });
  count();
  const add = button("Add user", { symbol: "add", kind: "primary", testid: "add-user", on: { click: () => addUser(reload).catch(failed) } });
  return {
    title: "Users",
    element: h("div", { class: "stack" },
      h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Users"), add),
      h("section", { class: "card", "aria-label": "Counts" }, counts), list.element),
  };
}

// Nobody shuts themselves out by a slip of the hand: one's own row has no such button.
const isMe = (one) => one.id === me()?.id;

const totals = (stats) => [
  h("p", {}, h("b", {}, String(stats.total)), stats.total === 1 ? " user: " : " users: ", `${stats.active} active, ${stats.disabled} disabled, ${stats.signed_in_last_30_days} signed in during the last 30 days`),
  h("p", { class: "small muted" }, Object.entries(stats.by_role).map(([role, n]) => `${roleName(role)} ${n}`).join(" · ")),
];

function table(users, bulk, reload) {
  return h("table", { class: "table" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, bulk.all), ["User", "Role", "State", "Since", ""].map((text, i) => h("th", { scope: "col", class: i === 4 ? "end" : undefined }, text)))),
    h("tbody", {}, users.map((one) => row(one, bulk, reload))));
}

function row(one, bulk, reload) {
  return h("tr", { testid: `user-${one.username}` },
    h("td", { class: "left" }, isMe(one) ? null : bulk.box(one)),
    h("td", { class: "left" }, h("b", { class: "break" }, one.name || one.username), isMe(one) && h("span", { class: "muted" }, " (you)"), h("span", { class: "sub" }, [one.username, one.email].join(" · "))),
    h("td", { class: "left" }, roleName(one.role)),
    h("td", { class: "left" }, chip(accountState(one.is_active)), one.must_change_password && h("span", { class: "sub" }, "Has yet to choose a password")),
    h("td", { class: "left nowrap hide-small" }, h("time", { datetime: one.created_at }, dateTime(one.created_at))),
    h("td", { class: "end message" }, h("div", { class: "actions" },
      button("Edit", { kind: "small", testid: `edit-${one.username}`, on: { click: () => editUser(one, reload).catch(failed) } }),
      !isMe(one) && switchButton(one, reload),
      !isMe(one) && button("Delete", { kind: "small danger", testid: `delete-${one.username}`, on: { click: () => askDelete(one, reload).catch(failed) } }))));
}

function switchButton(one, reload) {
  const made = button(one.is_active ? "Disable" : "Enable", { kind: "small", testid: `switch-${one.username}`, on: { click: async () => {
    try {
      await busy(made, () => api.switchUser(one.id, one.is_active ? "disabled" : "active"));
      said(`${one.username} is ${one.is_active ? "disabled" : "active"}.`);
      await reload();
    } catch (error) { failed(error); }
  } } });
  return made;
}

// The list is read again after the dialog has given the focus back, so that it can be kept.
async function askDelete(one, reload) {
  const yes = await ask({
    title: `Delete ${one.username}?`, symbol: "trash", tone: "bad", yes: "Delete it", testid: "delete-dialog",
    body: h("p", {}, "They are signed out and cannot sign in any more. What they did stays in the audit log."),
    act: () => api.removeUser(one.id),
  });
  if (!yes) return;
  said(`${one.username} is deleted.`);
  await reload();
}
