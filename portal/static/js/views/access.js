// The customer's own ways in: the mailbox's password, and keys and a password for files. None of them is ever shown again.

import { button } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field } from "../components/field.js";
import { failed, said } from "../components/toast.js";
import { h } from "../dom.js";
import { PASSWORD_RULE, passwordProblem } from "../passwords.js";
import { sales } from "../salesapi.js";
import { mayOperate, user } from "../session.js";

const mayOpen = (one) => one.status === "ACTIVE" && (mayOperate() || user()?.role === "USER");
const opener = (label, testid, question, again) => button(label, { kind: "small", symbol: "key", testid, on: { click: async () => {
  try { if (await question()) again(); } catch (error) { failed(error); }
} } });

export function mailboxAccess(box, again) {
  if (!mayOpen(box) || !box.server_id) return null;
  return h("div", { class: "actions" }, opener("Set password", `password-${box.email}`, () => askPassword(`Password of ${box.email}`, (password) => sales.mailboxPassword(box.id, password)), again));
}

export function siteAccess(account, again) {
  if (!mayOpen(account)) return null;
  return h("div", { class: "actions" },
    opener("Set SFTP password", `sftp-password-${account.fqdn}`, () => askPassword(`SFTP password of ${account.system_user}`, (password) => sales.sftpPassword(account.id, password)), again),
    opener("Set SFTP keys", `sftp-keys-${account.fqdn}`, () => askKeys(account), again));
}

function askPassword(title, send) {
  const password = field("New password", { name: "password", type: "password", autocomplete: "new-password", required: true, hint: PASSWORD_RULE, testid: "access-password" });
  return ask({
    title, symbol: "key", tone: "run", yes: "Set it", kind: "primary", testid: "access-dialog",
    body: [password.element, h("p", { class: "small muted" }, "It is set in a moment. Nobody can read it again.")],
    act: () => refusedAt(password, "password", async () => {
      const problem = passwordProblem(password.value);
      if (problem) { password.error(problem); throw new Error("Look at what is marked."); }
      await send(password.value);
      said("The password is being set.");
    }),
  });
}

function askKeys(account) {
  const keys = field("Public keys", { name: "keys", type: "textarea", spellcheck: "false", placeholder: "ssh-ed25519 AAAA…", hint: "One a line. Exactly these are let in from now on; none shuts the way by keys.", testid: "access-keys" });
  return ask({
    title: `SFTP keys of ${account.system_user}`, symbol: "key", tone: "run", yes: "Set them", kind: "primary", testid: "access-dialog", body: keys.element,
    act: () => refusedAt(keys, "keys", async () => {
      await sales.sftpKeys(account.id, keys.value.split("\n").map((line) => line.trim()).filter(Boolean));
      said("The keys are being set.");
    }),
  });
}

async function refusedAt(input, name, work) {
  input.error("");
  try {
    await work();
  } catch (error) {
    if (error.fields?.[name]) input.error(error.fields[name]);
    input.control.focus();
    throw error;
  }
}
