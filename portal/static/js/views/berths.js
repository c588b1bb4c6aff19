// The servers and their places, drawn as berths: who lies where, and what is free.

import { api } from "../api.js";
import { chip, empty } from "../components/basics.js";
import { h, replace } from "../dom.js";
import { money } from "../format.js";
import { VPS } from "../states.js";

const MOST_BERTHS = 12;
const known = new Map(); // organizations by server, until its count of places changes

async function organizationsOf(server, signal) {
  if (server.organizations) return server.organizations;
  if (!server.current_organizations) return [];
  const version = `${server.current_organizations} ${server.updated_at ?? ""}`;
  if (known.get(server.id)?.version !== version) {
    known.set(server.id, { version, list: await api.organizations(server.id, signal) });
  }
  return known.get(server.id).list;
}

export async function berthList(place, all, signal) {
  const servers = all.filter((one) => one.status !== "terminated");
  if (!servers.length) {
    if (place.dataset.shown !== "none") replace(place, empty("server", "No servers yet", h("p", {}, "A server appears with the first instance.")));
    place.dataset.shown = "none";
    return;
  }
  const rows = [];
  for (const server of servers) rows.push([server, await organizationsOf(server, signal)]);
  const text = JSON.stringify(rows);
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  replace(place, h("ul", { class: "servers" }, rows.map(([server, organizations]) => row(server, organizations))));
}

function row(server, organizations) {
  const free = Math.max(0, server.max_organizations - server.current_organizations);
  const about = [server.vps_ip, server.product_name, server.location, money(server.price_cents_month, server.currency)].filter((part) => part && part !== "–");
  return h("li", { testid: `server-${server.vps_name}` },
    h("div", { class: "server-head" }, h("a", { class: "server-name", href: `#/servers/${server.id}` }, server.label ?? server.vps_name), chip(VPS[server.status] ?? VPS.pending)),
    h("p", { class: "sub" }, about.join(" · ")),
    h("p", { class: "small" }, server.is_shared ? "Shared" : "Dedicated", `, ${server.current_organizations}/${server.max_organizations} places used`),
    h("div", { class: "berths" },
      organizations.slice(0, MOST_BERTHS).map((one) => h("a", { class: "berth", href: `#/instances/${one.deployment_id}`, title: one.name }, one.name)),
      organizations.length > MOST_BERTHS && h("span", { class: "berth" }, `and ${organizations.length - MOST_BERTHS} more`),
      server.status === "active" && free > 0 && h("span", { class: "berth free" }, free === 1 ? "1 free place" : `${free} free places`)));
}
