// System, light or dark: kept in this browser.

import { replace } from "../dom.js";
import { icon } from "../icons.js";
import { announce, iconButton } from "./basics.js";

const ORDER = ["system", "light", "dark"];
const SYMBOL = { system: "system", light: "sun", dark: "moon" };

const chosen = () => document.documentElement.dataset.theme ?? "system";

function choose(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try { theme === "system" ? localStorage.removeItem("slipway.theme") : localStorage.setItem("slipway.theme", theme); } catch { /* for this page only */ }
}

export function themeButton() {
  const show = () => {
    element.title = `Theme: ${chosen()}`;
    element.setAttribute("aria-label", `Theme: ${chosen()}. Change it`);
    replace(element, icon(SYMBOL[chosen()]));
  };
  const element = iconButton("Theme", "system", { testid: "theme", on: { click: () => {
    choose(ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length]);
    show();
    announce(`Theme: ${chosen()}`);
  } } });
  show();
  return element;
}
