// How many places of a server are taken, as a bar and in words.

import { h } from "../dom.js";

const NEARLY = 0.9;

export function room({ accounts: used, max_accounts: most }) {
  const share = most ? Math.min(1, used / most) : 1;
  const tone = share >= 1 ? "bad" : share >= NEARLY ? "warn" : "ok";
  const words = share >= 1 ? "full" : `${most - used} free`;
  return h("div", { class: `room tone-${tone}` },
    h("div", { class: "room-bar", "aria-hidden": "true" }, used > 0 && h("span", { style: { width: `${Math.round(share * 100)}%` } })),
    h("span", { class: "small nowrap" }, h("b", {}, `${used} of ${most}`), `, ${words}`));
}
