// The order of a bare server: a cloud, and then what that cloud offers.

import { api } from "../api.js";
import { cloudName, CLOUDS, specsText } from "../clouds.js";
import { busy, button, card, empty, skeleton } from "../components/basics.js";
import { Chooser, readOffers } from "../components/chooser.js";
import { field, radioCards } from "../components/field.js";
import { StackScripts } from "../components/stackscript.js";
import { failed, said } from "../components/toast.js";
import { h, replace, setText } from "../dom.js";
import { hourly, money } from "../format.js";
import { isLost, lostNotice, orderOnce } from "../orderonce.js";
import { PASSWORD_RULE, passwordProblem } from "../passwords.js";
import { go } from "../router.js";
import { mayOrderServers } from "../session.js";
import { missing } from "./missing.js";

const LABEL = /^[A-Za-z](?!.*(?:--|\.\.))[A-Za-z0-9.-]{1,62}[A-Za-z0-9]$/;
const TAG = /^[A-Za-z0-9_:-]{1,50}$/;
const OPTIONS = {
  backups: ["Backups", "The cloud keeps copies, for a surcharge."],
  monitoring: ["Monitoring", "The cloud's own agent measures load and memory."],
  ipv6: ["IPv6", "An address of the new kind beside the old one."],
  privateIP: ["Private address", "For servers of the same region, not seen from outside."],
};

export function newServerView({ signal }) {
  if (!mayOrderServers()) return { title: "New server", element: missing("Ordering servers is for operators and customers.") };
  const heading = () => h("h1", { tabindex: "-1" }, "New server");
  const root = h("div", { class: "stack" }, heading(), h("section", { class: "card" }, skeleton("30%", "90%", "90%", "60%")));
  const start = async () => {
    try {
      const { providers } = await api.options(signal);
      if (!signal.aborted) new ServerForm(root, providers.filter((one) => CLOUDS[one.name]), signal).show();
    } catch (error) {
      if (signal.aborted) return;
      replace(root, heading(), h("section", { class: "card" }, empty("alert", error.message, button("Try again", { symbol: "retry", on: { click: start } }))));
    }
  };
  start();
  return { title: "New server", element: root };
}

class ServerForm {
  constructor(root, providers, signal) {
    Object.assign(this, { root, providers, signal, cloud: providers[0]?.name, sizes: [], images: [], currency: "EUR", reading: new AbortController() });
    signal.addEventListener("abort", () => this.reading.abort());
    this.label = field("Name", { name: "label", required: true, autocomplete: "off", spellcheck: "false", testid: "server-label", hint: "Letters, digits, dots and hyphens, for example web-1.example.com" });
    this.region = new Chooser("Region", { name: "region", testid: "server-region", placeholder: "nyc3", changed: () => this.fitSizes() });
    this.size = new Chooser("Size", { name: "type", testid: "server-size", placeholder: "s-1vcpu-1gb", changed: () => this.fitImages() });
    this.image = new Chooser("Image", { name: "image", testid: "server-image", hint: "Those that fit on the disk can be chosen.", placeholder: "ubuntu-24-04-x64", changed: () => this.scripts.fit(this.image.value) });
    this.app = new Chooser("Marketplace application", { name: "appSlug", testid: "server-app", hint: "Brings its own system in place of the image.", placeholder: "wordpress", changed: () => this.fitApp() });
    this.scripts = new StackScripts();
    this.keys = field("SSH keys", { name: "sshKeys", type: "textarea", autocomplete: "off", spellcheck: "false", testid: "server-keys", hint: "Public keys, one per line. At least these or a password, or nobody could sign in." });
    this.password = field("Root password", { name: "rootPassword", type: "password", autocomplete: "new-password", optional: true, testid: "server-password", hint: PASSWORD_RULE });
    this.tags = field("Tags", { name: "tags", optional: true, autocomplete: "off", spellcheck: "false", testid: "server-tags", hint: "Separated by commas or spaces." });
    this.vpc = field("Private network", { name: "vpcUuid", optional: true, autocomplete: "off", spellcheck: "false", testid: "server-vpc", hint: "The id of a VPC. Empty means: the region's usual one." });
    this.userData = field("User data", { name: "userData", type: "textarea", optional: true, spellcheck: "false", autocomplete: "off", testid: "server-user-data", hint: "For cloud-init, at most 48 KiB. Kept encrypted, and destroyed once the server runs." });
    this.checks = Object.fromEntries(Object.keys(OPTIONS).map((name) => [name, h("input", { type: "checkbox", testid: `server-${name}` })]));
    this.byName = { label: this.label, region: this.region, type: this.size, image: this.image, appSlug: this.app, stackscriptId: this.scripts.chooser, sshKeys: this.keys, rootPassword: this.password, tags: this.tags, vpcUuid: this.vpc, userData: this.userData };
  }

  get known() { return CLOUDS[this.cloud]; }

  show() {
    const clouds = this.providers.map((one) => ({ key: one.name, title: cloudName(one.name) }));
    this.submitButton = button("Order server", { kind: "primary", type: "submit", testid: "submit-server" });
    this.extras = h("fieldset", { class: "group" });
    this.options = h("div", { class: "two" });
    this.lost = h("div", {});
    this.sum = h("b", {});
    this.form = h("form", { class: "card-body", testid: "new-server-form", novalidate: true, on: { submit: (event) => { event.preventDefault(); this.submit(); } } },
      group("Name and place", this.label.element, radioCards("Cloud", "provider_type", clouds, this.cloud, (value) => this.pick(value)), this.region.element),
      group("Machine", this.size.element, this.image.element), this.extras,
      group("Access", h("div", { class: "two" }, this.keys.element, this.password.element)),
      group("More", this.options, h("div", { class: "two" }, this.tags.element, this.vpc.element), this.userData.element),
      h("div", { class: "submit-bar" }, this.submitButton, this.sum), this.lost);
    this.price = h("div", { class: "card-body plan", "aria-live": "polite", testid: "server-price" });
    replace(this.root, h("h1", { tabindex: "-1" }, "New server"), h("div", { class: "order" }, h("section", { class: "card", "aria-label": "Order" }, this.form),
      h("div", { class: "order-side" }, card("Price", { sub: "The cloud's own, without VAT", body: this.price }))));
    this.label.control.focus();
    this.pick(this.cloud);
  }

  async pick(cloud) {
    this.cloud = cloud;
    this.reading.abort();
    const reading = this.reading = new AbortController();
    const { sizes, apps, scripts, vpc, options } = this.known;
    Object.assign(this, { sizes: [], images: [] });
    for (const one of Object.values(this.byName)) one.error("");
    for (const one of [this.region, this.size, this.image, this.app, this.scripts.chooser]) one.wait();
    this.extras.hidden = !apps && !scripts;
    replace(this.extras, h("legend", {}, "At the first start"), apps && this.app.element, scripts && this.scripts.element);
    replace(this.options, options.map((name) => h("label", { class: "check" }, this.checks[name], h("span", {}, h("b", {}, OPTIONS[name][0]), h("span", { class: "hint" }, OPTIONS[name][1])))));
    this.options.hidden = !options.length;
    this.vpc.element.hidden = !vpc;
    this.image.element.hidden = false;
    this.summed();
    const read = (list, how) => readOffers(cloud, list, how, reading.signal);
    const now = (work) => (found) => { if (!reading.signal.aborted) work(found); };
    const left = () => {}; // another cloud was chosen, or the page was left
    await Promise.all([
      Promise.all([read("regions"), read(sizes)]).then(now(([regions, found]) => { this.offerRegions(regions); this.offerSizes(found); })),
      Promise.all([read("images", { filters: { type: "distribution" } }), read("images", { filters: { type: "custom" } })]).then(now((found) => this.offerImages(...found))),
      apps && read("marketplace", { member: "apps" }).then(now((found) => this.offerApps(found))),
      scripts && read("stackscripts").then(now((found) => this.scripts.offered(found))),
    ].filter(Boolean).map((one) => one.catch(left)));
  }

  offerRegions({ items, note, failed: unread }) {
    const seen = this.providers.find((one) => one.name === this.cloud)?.regions ?? [];
    if (items.length) this.region.offer(items.map((one) => [one.id, `${one.label || one.id} (${one.id})${one.available ? "" : ": takes no orders now"}`, !one.available]), { value: seen[0], note });
    else if (seen.length) this.region.offer(seen.map((id) => [id, id]), { value: seen[0], note });
    else this.region.ask(unread ? note : "The cloud lists no regions.");
  }

  offerSizes({ items, currency, note, failed: unread }) {
    this.sizes = [...items].sort((a, b) => a.price.monthly - b.price.monthly);
    this.currency = currency ?? "EUR";
    this.sizeNote = note;
    if (items.length) this.fitSizes();
    else this.size.ask(unread ? note : "The cloud lists no sizes.");
    this.summed();
  }

  priceOf(size) { return size.region_prices?.[this.region.value] ?? size.price; }

  fitSizes() {
    if (!this.sizes.length) { this.summed(); return; }
    const here = this.sizes.filter((one) => !one.regions.length || one.regions.includes(this.region.value));
    const choices = here.map((one) => [one.id, `${one.id}: ${money(this.priceOf(one).monthly * 100, this.currency)} a month, ${specsText(one)}`]);
    this.size.offer(choices.length ? choices : [["", "No size is offered in this region"]], { note: this.sizeNote });
    this.fitImages();
  }

  offerImages(public_, own) {
    this.images = [...public_.items.map((one) => [one, one.label]), ...own.items.map((one) => [one, `Own: ${one.label}`])];
    this.imageNote = [public_.note, own.note].find(Boolean);
    if (public_.failed) this.image.ask(`${public_.note} Empty means: the cloud's usual system.`);
    else this.fitImages();
  }

  fitImages() {
    const disk = this.sizes.find((one) => one.id === this.size.value)?.disk ?? Infinity;
    if (this.images.length) {
      this.image.offer([["", "The usual system"], ...this.images.map(([one, label]) => {
        const small = one.minDiskSize > disk;
        return [one.slug ?? one.id, small ? `${label}: needs ${one.minDiskSize} GB of disk` : label, small];
      })], { note: this.imageNote });
    }
    this.scripts.fit(this.image.value);
    this.summed();
  }

  offerApps({ items, note, failed: unread }) {
    if (unread) this.app.ask(`${note} Empty means: none.`);
    else this.app.offer([["", "None"], ...items.map((one) => [one.slug, one.category ? `${one.name} (${one.category})` : one.name])], { value: "", note });
    this.fitApp();
  }

  fitApp() { this.image.element.hidden = Boolean(this.appSlug); }

  get appSlug() { return this.known.apps ? this.app.value : ""; }

  summed() {
    const size = this.sizes.find((one) => one.id === this.size.value);
    const price = size && this.priceOf(size);
    const fact = (label, value) => value && [h("dt", {}, label), h("dd", {}, value)];
    setText(this.sum, price ? `${money(price.monthly * 100, this.currency)} a month` : "");
    replace(this.price,
      h("p", { class: "price" }, price ? money(price.monthly * 100, this.currency) : "–", price && h("small", {}, " a month")),
      h("dl", { class: "facts" }, fact("Cloud", cloudName(this.cloud)), fact("Region", this.region.value), fact("Size", size?.label || this.size.value), fact("Machine", size && specsText(size)),
        fact("Transfer", size?.transfer && `${size.transfer} GB a month`), fact("By the hour", price && hourly(price.hourly, this.currency))));
  }

  order() {
    const lines = (text, by) => text.split(by).map((one) => one.trim()).filter(Boolean);
    return {
      provider_type: this.cloud, label: this.label.value.trim(), type: this.size.value, region: this.region.value, image: (!this.appSlug && this.image.value) || null,
      sshKeys: lines(this.keys.value, "\n"), tags: lines(this.tags.value, /[\s,]+/),
      ...Object.fromEntries(this.known.options.map((name) => [name, this.checks[name].checked])),
      ...(this.password.value ? { rootPassword: this.password.value } : {}), ...(this.userData.value.trim() ? { userData: this.userData.value } : {}),
      ...(this.appSlug ? { appSlug: this.appSlug } : {}), ...(this.known.scripts ? this.scripts.order() : {}),
      ...(this.known.vpc && this.vpc.value.trim() ? { vpc_uuid: this.vpc.value.trim() } : {}),
    };
  }

  valid() {
    const order = this.order();
    for (const one of Object.values(this.byName)) one.error("");
    this.label.error(LABEL.test(order.label) ? "" : "Use 3 to 64 letters, digits, dots or hyphens; begin with a letter.");
    this.region.error(order.region ? "" : "Choose a region.");
    this.size.error(order.type ? "" : "Choose a size.");
    this.password.error(order.rootPassword ? passwordProblem(order.rootPassword) : "");
    this.keys.error(order.sshKeys.length || order.rootPassword ? "" : "Give a key or a root password; nobody could sign in otherwise.");
    this.tags.error(order.tags.every((one) => TAG.test(one)) ? "" : "Tags have letters, digits, hyphens, underscores and colons.");
    if (this.known.scripts) this.scripts.valid();
    return this.toFirstError();
  }

  toFirstError() {
    const wrong = this.form.querySelector("[aria-invalid]");
    wrong?.focus();
    return !wrong;
  }

  async submit() {
    if (!this.valid()) return;
    try {
      const { instance } = await busy(this.submitButton, () => orderOnce("server", this.order(), api.orderVps));
      said(`${instance.label} is ordered.`);
      go(`/servers/${instance.id}`);
    } catch (error) {
      replace(this.lost, isLost(error) && lostNotice(error));
      if (isLost(error)) return;
      const named = Object.entries(error.fields).filter(([name]) => this.byName[name]);
      for (const [name, text] of named) this.byName[name].error(text);
      if (named.length) this.toFirstError();
      else failed(error);
    }
  }
}

const group = (title, ...content) => h("fieldset", { class: "group" }, h("legend", {}, title), content);
