// No such page, or no such instance.

import { button, empty } from "../components/basics.js";
import { h } from "../dom.js";

export const missing = (text) => h("div", { class: "stack" }, h("h1", { tabindex: "-1" }, "Not found"),
  h("section", { class: "card" }, empty("anchor", text, button("To the fleet", { href: "#/", kind: "primary" }))));

export const missingView = () => ({ title: "Not found", element: missing("Nothing is moored at this address.") });
