// What the portal knows of each cloud: its name, the lists it has, and what an order there may ask for beside a size.

import { capital } from "./format.js";

export const CLOUDS = {
  transip: { title: "TransIP", sizes: "sizes", options: [] },
  digitalocean: { title: "DigitalOcean", sizes: "sizes", options: ["backups", "monitoring", "ipv6"], apps: true, vpc: true, powerCycle: true },
  linode: { title: "Linode", sizes: "types", options: ["backups", "ipv6", "privateIP"], scripts: true },
};

export const cloudName = (kind) => CLOUDS[kind]?.title ?? capital(kind);

// "2 vCPU, 4 GB, 80 GB disk", of what a cloud tells.
export function specsText({ vcpus, memory, disk } = {}) {
  return [vcpus && `${vcpus} vCPU`, memory && `${+(memory / 1024).toFixed(1)} GB`, disk && `${disk} GB disk`].filter(Boolean).join(", ");
}
