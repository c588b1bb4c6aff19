// Registering a server of the house, and changing what is known of one.

import { copyButton, notice } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field, select } from "../components/field.js";
import { said } from "../components/toast.js";
import { h } from "../dom.js";
import { orderOnce } from "../orderonce.js";
import { go } from "../router.js";
import { sales } from "../salesapi.js";
import { SERVER_TYPES } from "../salesstates.js";

const number = (control) => (/^\d{1,9}$/.test(control.value.trim()) ? Number(control.value.trim()) : control.value.trim());

export async function registerServer(reload) {
  const form = new Form(null);
  let made = null;
  const yes = await ask({
    title: "Register a server", symbol: "server", tone: "run", yes: "Register", kind: "primary", testid: "server-dialog", body: form.element,
    act: () => form.send(async (values) => { made = await orderOnce("house-server", values, sales.registerServer); }),
  });
  if (!yes) return;
  said(`${made.hostname} is registered, and its set-up has begun.`);
  if (made.public_key) await showKey(made);
  await reload();
  go(`/house-servers/${made.id}`);
}

// The set-up waits until this key is let in.
export function showKey(server) {
  return ask({
    title: "Let our key in", symbol: "key", tone: "run", yes: "Done", no: null, kind: "primary", testid: "key-dialog",
    body: [h("p", {}, "Put this line into ", h("code", {}, "/root/.ssh/authorized_keys"), ` on ${server.hostname}. The set-up waits for it.`), keyLine(server.public_key)],
    act: async () => {},
  });
}

export const keyLine = (text) => h("div", { class: "key-line" }, h("code", { class: "break", testid: "public-key" }, text), copyButton("Copy the key", text));

export async function changeServer(server, again) {
  const form = new Form(server);
  const yes = await ask({
    title: `Change ${server.hostname}`, symbol: "server", tone: "run", yes: "Save", kind: "primary", testid: "server-dialog", body: form.element,
    act: () => form.send((values) => sales.changeServer(server.id, values)),
  });
  if (!yes) return;
  said(`${server.hostname} is changed.`);
  again();
}

class Form {
  constructor(one) {
    this.one = one;
    const text = (label, name, value, more = {}) => field(label, { name, value: value === undefined || value === null ? "" : String(value), autocomplete: "off", spellcheck: "false", testid: `server-${name}`, ...more });
    this.hostname = text("Host name", "hostname", one?.hostname, { required: true, placeholder: "web1.example.com", hint: one && "Stays as it is." });
    this.type = select("Type", SERVER_TYPES, { name: "type", value: one?.type ?? "web", testid: "server-type" });
    this.ipAddress = text("IP address", "ip", one?.ip_address, { required: true, placeholder: "203.0.113.10" });
    this.sshPort = text("SSH port", "port", one?.ssh_port ?? 22, { inputmode: "numeric" });
    this.maxAccounts = text("Places", "places", one?.max_accounts ?? 500, { inputmode: "numeric", hint: "How many sites, mailboxes or zones it may hold." });
    this.hostKey = text("Host key", "host-key", one?.host_key, { type: "textarea", hint: "The public line, as in /etc/ssh/ssh_host_ed25519_key.pub. It is entered only where it shows this key." });
    this.sshPrivateKey = text("Private key", "private-key", "", { type: "textarea", optional: true, hint: "Without one, a new pair is made and its public half is shown. It never leaves again." });
    this.hostname.control.disabled = this.type.control.disabled = Boolean(one);
    this.over = h("div", { class: "stack" }, this.hostKey.element, !one && this.sshPrivateKey.element);
    this.type.control.addEventListener("change", () => this.fit());
    this.fit();
    this.element = h("div", { class: "stack" },
      this.type.value === "dns" && one && notice("idle", "info", "A name server is worked by its own interface."),
      this.hostname.element, h("div", { class: "two" }, this.type.element, this.ipAddress.element, this.sshPort.element, this.maxAccounts.element), this.over);
  }

  // A name server needs no key: nothing is done there over SSH.
  fit() { this.over.hidden = this.type.value === "dns"; }

  fields() {
    return { hostname: this.hostname, type: this.type, ipAddress: this.ipAddress, sshPort: this.sshPort, maxAccounts: this.maxAccounts, hostKey: this.hostKey, sshPrivateKey: this.sshPrivateKey };
  }

  values() {
    const told = { ipAddress: this.ipAddress.value.trim(), sshPort: number(this.sshPort), maxAccounts: number(this.maxAccounts) };
    const keys = this.over.hidden ? {} : { ...(this.hostKey.value.trim() ? { hostKey: this.hostKey.value.trim() } : {}) };
    if (this.one) return { ...told, ...keys };
    const own = !this.over.hidden && this.sshPrivateKey.value.trim() ? { sshPrivateKey: `${this.sshPrivateKey.value.trim()}\n` } : {};
    return { hostname: this.hostname.value.trim(), type: this.type.value, ...told, ...keys, ...own };
  }

  async send(work) {
    for (const one of Object.values(this.fields())) one.error("");
    try {
      await work(this.values());
    } catch (error) {
      for (const [name, one] of Object.entries(this.fields())) if (error.fields?.[name]) one.error(error.fields[name]);
      this.element.querySelector("[aria-invalid]")?.focus();
      throw error;
    }
  }
}
