// The bar at the top: where one is, and who one is.

import { h, replace } from "../dom.js";
import { icon } from "../icons.js";
import { words } from "../format.js";
import { mayAdminister, mayOperate, mayReadAudit, mayReadProducts, maySeeStaffPages, signOut, user } from "../session.js";
import { iconButton } from "./basics.js";
import { themeButton } from "./theme.js";
import { failed } from "./toast.js";

export const brand = (href = "#/") =>
  h("a", { class: "brand", href, "aria-label": "Slipway, to the fleet" }, h("img", { src: "/assets/img/logo.svg", alt: "", width: "30", height: "30" }), h("span", {}, "Slipway"));

// What the bar holds: a place of its own, or a group whose places stand in a row below while one of them is open.
function groups() {
  const places = {
    fleet: ["/", "anchor", "Fleet", true, "/instances"],
    orders: ["/orders", "cart", "Orders", true],
    subscriptions: ["/subscriptions", "retry", "Subscriptions", true],
    zones: ["/zones", "globe", "Zones", true],
    certificates: ["/certificates", "key", "Certificates", true],
    jobs: ["/jobs", "gear", "Jobs", maySeeStaffPages()],
    products: ["/products", "tag", "Products", mayReadProducts()],
    tenants: ["/tenants", "flag", "Tenants", mayAdminister()],
    servers: ["/servers", "server", "Servers", true],
    house: ["/house-servers", "home", "House servers", mayOperate()],
    inventory: ["/inventory", "ledger", "Inventory", mayAdminister()],
    providers: ["/providers", "cloud", "Providers", mayAdminister()],
    users: ["/users", "user", "Users", mayAdminister()],
    keys: ["/api-keys", "key", "API keys", mayAdminister()],
    audit: ["/audit", "eye", "Audit", mayReadAudit()],
    new: ["/new", "add", "New instance", mayOperate()],
  };
  const group = (name, symbol, label, ...members) => ({ name, symbol, label, places: members.map((one) => [one, ...places[one]]).filter(([, , , , may]) => may) });
  const sales = maySeeStaffPages()
    ? [group("sales", "cart", "Sales", "orders", "subscriptions", "zones", "certificates", "jobs", "products", "tenants")]
    : [group("", "", "", "subscriptions"), group("", "", "", "orders"), group("", "", "", "zones"), group("", "", "", "certificates")];
  return [group("", "", "", "fleet"), ...sales, group("servers", "server", "Servers", "servers", "house", "inventory", "providers"), group("office", "user", "Office", "users", "keys", "audit"), group("", "", "", "new")]
    .filter((one) => one.places.length);
}

const isAt = (path, [, target, , , , also]) => path === target || (target !== "/" && path.startsWith(`${target}/`)) || Boolean(also && path.startsWith(`${also}/`));

export function showShell(path) {
  const place = document.getElementById("shell");
  const who = user();
  if (!who) { place.replaceChildren(); place.className = ""; return; }
  place.className = "shell";
  const link = (target, symbol, label, testid, current) =>
    h("a", { href: `#${target}`, "aria-current": current && (path === target ? "page" : "true"), title: label, testid }, icon(symbol), h("span", {}, label));
  const toPlace = (one) => link(one[1], one[2], one[3], `nav-${one[0]}`, isAt(path, one));
  const all = groups();
  const open = all.find((one) => one.places.length > 1 && one.places.some((each) => isAt(path, each)));
  replace(place, h("div", { class: "shell-in" }, brand(),
    h("nav", { class: "nav", "aria-label": "Main" },
      all.map((one) => (one.places.length === 1 ? toPlace(one.places[0]) : link(one.places[0][1], one.symbol, one.label, `group-${one.name}`, one === open)))),
    h("div", { class: "who" },
      h("p", { class: "who-name" }, h("b", {}, who.name || who.username), h("span", {}, words(who.role?.toLowerCase()))),
      themeButton(),
      iconButton("Change password", "key", { href: "#/password" }),
      iconButton("Sign out", "out", { testid: "sign-out", on: { click: () => signOut().catch(failed) } }))),
    open && h("nav", { class: "places", "aria-label": open.label }, h("div", { class: "places-in" }, open.places.map(toPlace))));
  place.querySelector(".places [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
