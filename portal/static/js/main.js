// Starts the portal: session first, then the page the address names.

import { announce } from "./components/basics.js";
import { showShell } from "./components/shell.js";
import { failed } from "./components/toast.js";
import { replace } from "./dom.js";
import { begin, go, match, place, route } from "./router.js";
import * as session from "./session.js";
import { apiKeysView } from "./views/apikeys.js";
import { auditView } from "./views/audit.js";
import { certificatesView } from "./views/certificates.js";
import { fleetView } from "./views/fleet.js";
import { houseServerView } from "./views/houseserver.js";
import { houseServersView } from "./views/houseservers.js";
import { inventoryView } from "./views/inventory.js";
import { jobView } from "./views/job.js";
import { jobsView } from "./views/jobs.js";
import { missingView } from "./views/missing.js";
import { newInstanceView } from "./views/newinstance.js";
import { newServerView } from "./views/newserver.js";
import { orderView } from "./views/order.js";
import { ordersView } from "./views/orders.js";
import { passwordView } from "./views/password.js";
import { productsView } from "./views/products.js";
import { providersView } from "./views/providers.js";
import { confirmView, registerView } from "./views/register.js";
import { forgotView, resetView } from "./views/reset.js";
import { runView } from "./views/run.js";
import { serverView } from "./views/server.js";
import { serversView } from "./views/servers.js";
import { signInView } from "./views/signin.js";
import { subscriptionView } from "./views/subscription.js";
import { subscriptionsView } from "./views/subscriptions.js";
import { tenantsView } from "./views/tenants.js";
import { usersView } from "./views/users.js";
import { zoneView } from "./views/zone.js";
import { zonesView } from "./views/zones.js";

let expired = false;
let first = true;

route("/", fleetView);
route("/new", newInstanceView);
route("/instances/:id", runView);
route("/servers", serversView);
route("/servers/new", newServerView);
route("/servers/:id", serverView);
route("/inventory", inventoryView);
route("/providers", providersView);
route("/orders", ordersView);
route("/orders/:id", orderView);
route("/subscriptions", subscriptionsView);
route("/subscriptions/:id", subscriptionView);
route("/zones", zonesView);
route("/zones/:id", zoneView);
route("/certificates", certificatesView);
route("/jobs", jobsView);
route("/jobs/:id", jobView);
route("/house-servers", houseServersView);
route("/house-servers/:id", houseServerView);
route("/tenants", tenantsView);
route("/api-keys", apiKeysView);
route("/products", productsView);
route("/users", usersView);
route("/audit", auditView);
route("/password", () => passwordView({ forced: false, done: () => go("/") }));

function pick(path, context) {
  // Whoever follows a link from a mail chooses a password, whoever is signed in here.
  if (path === "/reset") return resetView({ token: context.query.token ?? "" });
  if (path === "/register/confirm") return confirmView({ token: context.query.token ?? "" });
  if (!session.user() && path === "/forgot") return forgotView();
  if (!session.user() && path === "/register") return registerView();
  if (!session.user()) return signInView({ expired, done: () => { expired = false; } });
  if (session.user().must_change_password) return passwordView({ forced: true, done: () => {} });
  const found = match(path);
  return found ? found.view({ ...context, params: found.params }) : missingView();
}

function show() {
  const signal = begin();
  const { path, query } = place();
  const view = pick(path, { query, signal });
  document.title = `${view.title} · Slipway`;
  document.body.classList.toggle("bare", Boolean(view.bare));
  showShell(view.bare ? "" : path);
  const main = document.getElementById("main");
  replace(main, view.element);
  window.scrollTo(0, 0);
  const target = view.focus ?? (first ? null : main.querySelector("h1"));
  target?.focus({ preventScroll: true });
  if (!first) announce(view.title);
  first = false;
}

session.onChange((why) => {
  expired = why === "expired";
  if (why === "signed-out") history.replaceState(null, "", "#/");
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  show();
});
window.addEventListener("hashchange", show);
document.querySelector("[data-skip]").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});

try {
  await session.restore();
} catch (error) {
  failed(error);
}
show();
