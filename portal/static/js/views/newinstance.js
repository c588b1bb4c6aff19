// The order of an instance: checked while typing, previewed by a dry run, sent once.

import { api } from "../api.js";
import { cloudName } from "../clouds.js";
import { busy, button, card, empty, skeleton } from "../components/basics.js";
import { Fallbacks } from "../components/fallbacks.js";
import { field, fillSelect, radioCards, select } from "../components/field.js";
import { failed, said } from "../components/toast.js";
import { h, replace } from "../dom.js";
import { capital } from "../format.js";
import { isLost, lostNotice, orderOnce } from "../orderonce.js";
import { PASSWORD_RULE, passwordProblem } from "../passwords.js";
import { go } from "../router.js";
import { mayOperate } from "../session.js";
import { missing } from "./missing.js";
import { planCard } from "./plan.js";

export function slugOf(name) {
  return name.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/ß/g, "ss").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40).replace(/-+$/, "");
}

export function slugProblem(slug, { slug_pattern: pattern, reserved_slugs: reserved = [] }) {
  if (!slug) return "Choose a short name for the address.";
  if (slug.length < 3) return "Use at least 3 characters.";
  if (slug.length > 63) return "Use at most 63 characters.";
  if (/[^a-z0-9-]/.test(slug)) return "Use lower-case letters, digits and hyphens only.";
  if (!new RegExp(pattern).test(slug)) return "Begin and end with a letter or a digit.";
  if (slug.slice(2, 4) === "--") return "The third and fourth character cannot both be hyphens.";
  return reserved.includes(slug) ? "This name is reserved. Choose another one." : "";
}

export function newInstanceView({ signal }) {
  if (!mayOperate()) return { title: "New instance", element: missing("Ordering instances is for operators.") };
  const root = h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "New instance"), h("section", { class: "card" }, skeleton("30%", "90%", "90%", "60%")));
  const start = async () => {
    try {
      const [options, servers] = await Promise.all([api.options(signal), api.servers({ shared: true, available: true }, signal)]);
      if (!signal.aborted) new OrderForm(root, options, servers).show();
    } catch (error) {
      if (signal.aborted) return;
      replace(root, h("h1", { tabindex: "-1" }, "New instance"), h("section", { class: "card" }, empty("alert", error.message, button("Try again", { symbol: "retry", on: { click: start } }))));
    }
  };
  start();
  return { title: "New instance", element: root };
}

class OrderForm {
  constructor(root, options, servers) {
    Object.assign(this, { root, options, servers, slugTouched: false, model: options.deployment_models?.[0] ?? "shared", tier: options.tiers?.[0]?.name ?? "starter" });
    this.name = field("Organization", { name: "organizationName", required: true, autocomplete: "off", testid: "organization-name" });
    this.url = h("p", { class: "slug-url", "aria-live": "polite", testid: "slug-preview" });
    this.slug = field("Short name", { name: "slug", required: true, autocomplete: "off", spellcheck: "false", testid: "slug", hint: this.url });
    this.email = field("E-mail", { name: "adminEmail", type: "email", required: true, autocomplete: "off", testid: "admin-email" });
    this.adminName = field("Name", { name: "adminName", required: true, autocomplete: "off", testid: "admin-name" });
    this.password = field("First password", { name: "adminPassword", type: "password", autocomplete: "new-password", testid: "admin-password", hint: `${PASSWORD_RULE} It must be changed at the first sign-in.` });
    this.server = select("Server", this.serverChoices(), { name: "vpsId", testid: "vps", hint: "A shared server with a free place. Where none has one, a new server is ordered." });
    const providers = options.providers ?? [];
    this.provider = select("Provider", providers.map((one) => [one.name, cloudName(one.name)]), { name: "provider", testid: "provider" });
    this.region = select("Region", [["", "The provider's default"]], { name: "region", testid: "region" });
    this.fallbacks = new Fallbacks(providers);
    this.generate = h("input", { type: "checkbox", checked: true, testid: "generate-password" });
    this.byName = { organizationName: this.name, slug: this.slug, adminEmail: this.email, adminName: this.adminName, adminPassword: this.password, vpsId: this.server, provider: this.provider, region: this.region };
    this.preview = h("div", { class: "order-side", "aria-live": "polite" });
    this.regions();
    this.wire();
  }

  serverChoices() {
    const free = (one) => one.max_organizations - one.current_organizations;
    return [["", "Choose for me"], ...this.servers.filter((one) => one.is_shared !== false && free(one) > 0)
      .map((one) => [one.id, `${one.vps_name}: ${free(one)} of ${one.max_organizations} places free${one.location ? `, ${one.location}` : ""}`])];
  }

  regions() {
    const one = (this.options.providers ?? []).find((provider) => provider.name === this.provider.value);
    fillSelect(this.region.control, [["", "The provider's default"], ...(one?.regions ?? []).map((region) => (typeof region === "string" ? [region, region] : [region.name, region.title ?? region.name]))], "");
  }

  // The products the API names are TransIP's; elsewhere the preview tells which size a tier becomes.
  tierNames() { this.tiers.classList.toggle("titles-only", this.provider.value !== "transip"); }

  wire() {
    this.name.control.addEventListener("input", () => {
      if (!this.slugTouched) { this.slug.value = slugOf(this.name.value); this.showUrl(); if (this.slug.value.length > 2) this.slug.error(""); }
      if (this.name.value.trim()) this.name.error("");
    });
    this.slug.control.addEventListener("input", () => {
      this.slugTouched = this.slug.value !== "";
      this.showUrl();
      this.slug.error(this.slug.value.length > 2 || /[^a-z0-9-]/.test(this.slug.value) ? slugProblem(this.slug.value, this.options) : "");
    });
    this.slug.control.addEventListener("blur", () => { if (this.slug.value) this.slug.error(slugProblem(this.slug.value, this.options)); });
    this.email.control.addEventListener("blur", () => { if (this.email.value) this.email.error(emailProblem(this.email.value)); });
    this.provider.control.addEventListener("change", () => { this.regions(); this.tierNames(); });
    this.generate.addEventListener("change", () => { this.password.element.hidden = this.generate.checked; if (!this.generate.checked) this.password.control.focus(); });
    this.password.element.hidden = true;
    this.showUrl();
  }

  showUrl() {
    const { base_domain: base, https_port: port } = this.options;
    replace(this.url, "https://", h("b", {}, this.slug.value || "short-name"), `.${base}${port && port !== 443 ? `:${port}` : ""}`);
  }

  show() {
    const models = (this.options.deployment_models ?? ["shared", "dedicated"]).map((one) => {
      const key = one.name ?? one;
      return { key, title: one.title ?? capital(key), text: key === "shared" ? "A place on a server with others" : "A server of its own" };
    });
    const tiers = (this.options.tiers ?? []).map((one) => ({ key: one.name, title: one.title ?? capital(one.name), text: one.product }));
    this.tiers = radioCards("Tier", "tier", tiers, this.tier, (value) => { this.tier = value; });
    this.submitButton = button("Order instance", { kind: "primary", type: "submit", testid: "submit-instance" });
    this.previewButton = button("Preview", { symbol: "eye", testid: "preview-instance", on: { click: () => this.plan() } });
    this.lost = h("div", {});
    this.serverRow = h("div", {}, this.server.element);
    const form = h("form", { class: "card-body", testid: "new-instance-form", novalidate: true, on: { submit: (event) => { event.preventDefault(); this.submit(); } } },
      group("Organization", h("div", { class: "two" }, this.name.element, this.slug.element)),
      group("Model", radioCards("Model", "deploymentModel", models, this.model, (value) => { this.model = value; this.serverRow.hidden = value !== "shared"; }), this.serverRow),
      group("Size", this.tiers),
      group("Place", h("div", { class: "two" }, this.provider.element, this.region.element), this.fallbacks.element),
      group("First administrator", h("div", { class: "two" }, this.adminName.element, this.email.element),
        h("label", { class: "check" }, this.generate, h("span", {}, h("b", {}, "Generate the password"), h("span", { class: "hint" }, "It can be read once, here, when the instance is up."))), this.password.element),
      h("div", { class: "submit-bar" }, this.submitButton, this.previewButton), this.lost);
    this.tierNames();
    this.serverRow.hidden = this.model !== "shared";
    this.form = form;
    replace(this.preview, card("Preview", { body: empty("eye", "See it before it happens", h("p", {}, "The preview names the server, the steps and the price. Nothing is written or ordered.")) }));
    replace(this.root, h("h1", { tabindex: "-1" }, "New instance"), h("div", { class: "order" }, h("section", { class: "card", "aria-label": "Order" }, form), this.preview));
    this.name.control.focus();
  }

  order() {
    const shared = this.model === "shared";
    return {
      organizationName: this.name.value.trim(), slug: this.slug.value.trim(), tier: this.tier, deploymentModel: this.model,
      vpsId: (shared && this.server.value) || null, adminEmail: this.email.value.trim(), adminName: this.adminName.value.trim(),
      ...(this.generate.checked ? {} : { adminPassword: this.password.value }),
      ...(this.provider.value ? { provider: this.provider.value } : {}), ...(this.region.value ? { region: this.region.value } : {}),
      ...(this.fallbacks.rows.length ? { fallbacks: this.fallbacks.value() } : {}),
    };
  }

  valid() {
    this.fallbacks.clear();
    this.name.error(this.name.value.trim() ? "" : "Enter the organization's name.");
    this.slug.error(slugProblem(this.slug.value.trim(), this.options));
    this.adminName.error(this.adminName.value.trim() ? "" : "Enter the administrator's name.");
    this.email.error(emailProblem(this.email.value.trim()));
    this.password.error(this.generate.checked ? "" : passwordProblem(this.password.value));
    return this.toFirstError();
  }

  toFirstError() {
    const wrong = this.form.querySelector("[aria-invalid]");
    wrong?.focus();
    return !wrong;
  }

  refused(error) {
    const elsewhere = this.fallbacks.refused(error.fields);
    let placed = elsewhere;
    for (const [name, text] of Object.entries(error.fields)) {
      if (this.byName[name] && !(elsewhere && text === error.fields.fallbacks)) { this.byName[name].error(text); placed = true; }
    }
    if (error.code === "CONFLICT" && !placed && /slug|name/i.test(error.message)) { this.slug.error(error.message); placed = true; }
    if (error.fields.adminPassword) { this.generate.checked = false; this.password.element.hidden = false; }
    if (placed) this.toFirstError();
    else failed(error);
  }

  async plan() {
    if (!this.valid()) return;
    try {
      const plan = await busy(this.previewButton, () => api.plan(this.order()));
      replace(this.preview, planCard(plan));
      if (matchMedia("(max-width: 1099px)").matches) this.preview.scrollIntoView({ block: "start" });
    } catch (error) {
      this.refused(error);
    }
  }

  async submit() {
    if (!this.valid()) return;
    try {
      const reply = await busy(this.submitButton, () => orderOnce("instance", this.order(), api.create));
      said(reply.message ?? "The instance is on its way.");
      go(`/instances/${reply.deploymentId ?? reply.deployment.id}`);
    } catch (error) {
      replace(this.lost, isLost(error) && lostNotice(error));
      if (!isLost(error)) this.refused(error);
    }
  }
}

const group = (title, ...content) => h("fieldset", { class: "group" }, h("legend", {}, title), content);
const emailProblem = (text) => (!text ? "Enter an e-mail address." : /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text) ? "" : "This is not an e-mail address.");
