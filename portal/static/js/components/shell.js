// The bar at the top: where one is, and who one is.

import { h, replace } from "../dom.js";
import { icon } from "../icons.js";
import { words } from "../format.js";
import { mayAdminister, mayOperate, mayReadAudit, mayReadProducts, signOut, user } from "../session.js";
import { iconButton } from "./basics.js";
import { themeButton } from "./theme.js";
import { failed } from "./toast.js";

export const brand = (href = "#/") =>
  h("a", { class: "brand", href, "aria-label": "Slipway, to the fleet" }, h("img", { src: "/assets/img/logo.svg", alt: "", width: "30", height: "30" }), h("span", {}, "Slipway"));

export function showShell(path) {
  const place = document.getElementById("shell");
  const who = user();
  if (!who) { place.replaceChildren(); place.className = ""; return; }
  place.className = "shell";
  const link = (target, symbol, label, testid) =>
    h("a", { href: `#${target}`, "aria-current": path === target ? "page" : undefined, title: label, testid }, icon(symbol), h("span", {}, label));
  replace(place, h("div", { class: "shell-in" }, brand(),
    h("nav", { class: "nav", "aria-label": "Main" },
      link("/", "anchor", "Fleet", "nav-fleet"),
      link("/servers", "server", "Servers", "nav-servers"),
      mayAdminister() && link("/inventory", "ledger", "Inventory", "nav-inventory"),
      mayAdminister() && link("/providers", "cloud", "Providers", "nav-providers"),
      mayReadProducts() && link("/products", "tag", "Products", "nav-products"),
      mayAdminister() && link("/users", "user", "Users", "nav-users"),
      mayReadAudit() && link("/audit", "eye", "Audit", "nav-audit"),
      mayOperate() && link("/new", "add", "New instance", "nav-new")),
    h("div", { class: "who" },
      h("p", { class: "who-name" }, h("b", {}, who.name || who.username), h("span", {}, words(who.role?.toLowerCase()))),
      themeButton(),
      iconButton("Change password", "key", { href: "#/password" }),
      iconButton("Sign out", "out", { testid: "sign-out", on: { click: () => signOut().catch(failed) } }))));
  place.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
