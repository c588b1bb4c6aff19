// One form for a new user and for one that is there. A new one chooses a password by a link that is mailed, or gets a
// first one that is made here and shown once.

import { api } from "../api.js";
import { copyButton, notice } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field, select } from "../components/field.js";
import { said } from "../components/toast.js";
import { h } from "../dom.js";
import { newPassword } from "../passwords.js";
import { ROLES } from "../states.js";

const FIRST = [["password", "Made here and shown once"], ["invite", "Chosen by a link that is mailed to them"]];

export async function addUser(reload) {
  const form = new Form({ role: "USER" });
  const password = newPassword();
  const first = select("First password", FIRST, { name: "first", testid: "user-first", hint: "They choose their own before anything else is open to them." });
  const invited = () => first.value === "invite";
  const values = () => ({ name: form.name.value.trim(), email: form.email.value.trim(), role: form.role.value });
  let made = null;
  const yes = await ask({
    title: "Add a user", symbol: "user", tone: "run", yes: "Add", kind: "primary", testid: "user-dialog",
    body: [form.element, first.element],
    act: () => form.send(async () => { made = await api.createUser({ ...values(), ...(invited() ? {} : { password }) }); }),
  });
  if (!yes) return;
  if (invited()) said(`${made.user.username} is added; the link goes to ${made.user.email}.`);
  else await handOver(made?.user?.username ?? values().email, password);
  await reload();
}

// Neither "Not now" nor Escape: a password that nobody has read makes a user whom nobody can be.
function handOver(name, password) {
  const row = (label, testid, text, mono) => [h("dt", {}, label), h("dd", { class: "credential" }, h("span", { class: `break${mono ? " mono" : ""}`, testid }, text), copyButton(`Copy the ${label.toLowerCase()}`, text))];
  return ask({
    title: "The user is added", symbol: "key", tone: "ok", yes: "I have it", no: null, kind: "primary", testid: "password-dialog",
    body: [
      notice("warn", "key", h("b", {}, "Shown this one time. "), "Hand it over in a safe way; nobody can read it again."),
      h("dl", { class: "facts credential-list" }, row("User", "made-user", name), row("Password", "made-password", password, true)),
    ],
    act: async () => {},
  });
}

export async function editUser(one, reload) {
  const form = new Form(one);
  const yes = await ask({
    title: `Edit ${one.username}`, symbol: "user", tone: "run", yes: "Save", kind: "primary", testid: "user-dialog", body: form.element,
    act: () => form.send(() => api.changeUser(one.id, { name: form.name.value.trim(), role: form.role.value })),
  });
  if (!yes) return;
  said(`${one.username} is saved.`);
  await reload();
}

class Form {
  constructor(one) {
    this.name = field("Name", { name: "name", value: one.name ?? "", required: true, autocomplete: "off", testid: "user-name" });
    this.email = field("E-mail", { name: "email", type: "email", value: one.email ?? "", required: true, autocomplete: "off", hint: one.id && "Stays as it is.", testid: "user-email" });
    this.role = select("Role", ROLES, { name: "role", value: one.role, testid: "user-role" });
    this.email.control.disabled = Boolean(one.id);
    this.element = h("div", { class: "stack" }, this.name.element, this.email.element, this.role.element);
  }

  async send(work) {
    const fields = { name: this.name, email: this.email, role: this.role };
    for (const one of Object.values(fields)) one.error("");
    try {
      await work();
    } catch (error) {
      for (const [name, one] of Object.entries(fields)) if (error.fields?.[name]) one.error(error.fields[name]);
      this.element.querySelector("[aria-invalid]")?.focus();
      throw error;
    }
  }
}
