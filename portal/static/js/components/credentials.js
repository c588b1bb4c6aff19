// The first administrator's credentials: readable once, so they are asked for on purpose and shown until one leaves.

import { api } from "../api.js";
import { h, replace } from "../dom.js";
import { busy, button, copyButton, notice } from "./basics.js";
import { failed } from "./toast.js";

export class Credentials {
  constructor(id) {
    this.id = id;
    this.revealed = false;
    this.body = h("div", { class: "card-body" });
    this.element = h("section", { class: "card credentials", "aria-label": "Credentials", testid: "credentials", hidden: true },
      h("div", { class: "card-head" }, h("h2", {}, "Administrator's credentials")), this.body);
    this.reveal = button("Reveal once", { kind: "primary", symbol: "eye", testid: "reveal-credentials", on: { click: () => this.show() } });
    replace(this.body, h("p", {}, "The first administrator's password can be read here ", h("b", {}, "once"), ". Have a safe way ready to hand it over. It must be changed at the first sign-in."), this.reveal);
  }

  update({ credentials_available: available }) {
    if (!this.revealed) this.element.hidden = !available;
  }

  async show() {
    try {
      const found = await busy(this.reveal, () => api.credentials(this.id));
      this.revealed = true;
      const row = (label, name, text, mono) => text && [h("dt", {}, label),
        h("dd", { class: "credential" }, h("span", { class: `break${mono ? " mono" : ""}`, testid: `credential-${name}` }, text), copyButton(`Copy the ${label.toLowerCase()}`, text))];
      replace(this.body,
        notice("warn", "key", h("b", {}, "Shown this one time. "), "Nobody can read it again, not even here after you leave this page."),
        h("dl", { class: "facts credential-list" }, row("Address", "url", found.url), row("E-mail", "email", found.email), row("Password", "password", found.password, true)),
        found.must_change !== false && h("p", { class: "small muted" }, "The application asks for a new password at the first sign-in."));
      this.body.querySelector("[data-testid=credential-password]").scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (error.status === 409 || error.status === 410) replace(this.body, notice("idle", "info", error.message));
      else failed(error);
    }
  }
}
