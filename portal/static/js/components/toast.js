// Messages at the edge of the page. Errors stay until closed and name the request, so that somebody can look it up.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { copyText, iconButton } from "./basics.js";

const MOST = 4;
const SHOWN_FOR = 7000;

export function toast(tone, symbol, text, { requestId, keep = false } = {}) {
  const place = document.getElementById("toasts");
  const close = iconButton("Close", "close", { kind: "quiet small", on: { click: () => element.remove() } });
  const element = h("div", { class: `toast tone-${tone}`, role: tone === "bad" ? "alert" : "status", testid: "toast" }, icon(symbol),
    h("div", { class: "toast-text" }, h("p", {}, text), requestId && h("p", { class: "small mono" }, `Request ${requestId}`)),
    requestId && iconButton("Copy the request id", "copy", { kind: "quiet small", on: { click: () => copyText(requestId) } }), close);
  for (const old of [...place.children]) if (old.textContent === element.textContent) old.remove();
  while (place.children.length >= MOST) place.firstChild.remove();
  place.append(element);
  if (!keep) setTimeout(() => element.remove(), SHOWN_FOR);
  return element;
}

export const said = (text) => toast("ok", "check", text);
export const failed = (error) => {
  if (error.name === "AbortError") return null;
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  return toast("bad", "alert", `${error.message}${wait}`, { requestId: error.requestId, keep: true });
};
