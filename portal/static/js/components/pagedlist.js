// A list that is filtered and read page by page: its filters live in the address, and its failures in its own place.

import { repeat } from "../clock.js";
import { h, replace } from "../dom.js";
import { keepQuery } from "../router.js";
import { button, empty, skeleton } from "./basics.js";
import { field, select } from "./field.js";
import { failed } from "./toast.js";

const PAUSE = 250; // milliseconds without a key before a text filter is asked for

// `filters`: [{ name, label, choices, all }] or [{ name, label, type, placeholder }]; `all` is what no choice is called.
// `ask(filters, signal)` answers { items, pagination }; `shown(items)` is told what is about to be drawn, also when that
// is nothing; `draw(items)` makes the table; `none` stands for no item at all.
// With `every` it is read again after so many seconds, and drawn anew only when something differs.
export function pagedList({ title, query, signal, limit = 25, every, filters: asked, ask, draw, shown, none, symbol, noun, testid, above }) {
  const filters = Object.fromEntries(asked.map(({ name }) => [name, query[name] ?? ""]));
  let page = Math.max(1, Number(query.page) || 1);
  let turn = 0;
  let drawn = "";
  const list = h("div", { testid, "aria-busy": "true" }, skeleton("70%", "90%", "60%"));

  const look = async () => {
    const mine = ++turn;
    let reply;
    try {
      reply = await ask({ ...filters, page, limit }, signal);
    } catch (error) {
      if (mine === turn) throw error;
      return; // of an older filter: what it says is not of interest any more
    }
    if (mine !== turn) return; // a newer filter is being answered
    const { items, pagination } = reply;
    if (!items.length && page > 1 && pagination.total) { page = Math.max(1, pagination.totalPages); changed(); return; } // the last of a page was removed
    list.setAttribute("aria-busy", "false");
    const text = JSON.stringify([items, pagination, filters]);
    if (every && text === drawn) return;
    drawn = text;
    const focused = focusIn(list);
    shown?.(items);
    replace(list, items.length ? draw(items) : nothing(), pagination.totalPages > 1 && pager(pagination));
    if (focused && document.activeElement === document.body) list.querySelector(focused)?.focus({ preventScroll: true });
  };
  const load = () => {
    list.setAttribute("aria-busy", "true");
    return look().catch(show);
  };
  const show = (error) => {
    if (signal.aborted || error.name === "AbortError" || error.status === 401) return;
    drawn = "";
    replace(list, broken(error));
    list.setAttribute("aria-busy", "false");
  };
  // What is there stays there when a later look fails.
  const missed = (error) => {
    if (!drawn) show(error);
    else if (error.status !== 401 && error.status !== 429) failed(error);
  };
  const changed = () => {
    keepQuery({ ...filters, page: page > 1 ? page : "" });
    load();
  };

  const broken = (error) => h("div", { role: "alert", testid: testid && `${testid}-error` },
    empty("alert", `The ${noun} could not be read`, h("p", {}, error.message), error.requestId && h("p", { class: "small mono break" }, `Request ${error.requestId}`),
      button("Try again", { symbol: "retry", on: { click: load } })));

  const nothing = () => (Object.values(filters).some(Boolean)
    ? empty(symbol, `No ${noun} fit these filters`, button("Clear the filters", { on: { click: () => {
      for (const [name, control] of Object.entries(controls)) { filters[name] = ""; control.value = ""; }
      page = 1;
      changed();
      Object.values(controls)[0].control.focus(); // the button that was pressed is gone
    } } }))
    : none());

  const pager = ({ page: at, totalPages, total, hasNext, hasPrev }) => {
    const move = (label, by, may) => button(label, { kind: "small", disabled: !may, testid: `page-${label.toLowerCase()}`, on: { click: () => { page = at + by; changed(); } } });
    return h("nav", { class: "pager", "aria-label": "Pages" }, h("span", { class: "muted small" }, `Page ${at} of ${totalPages}, ${total} ${noun}`),
      h("div", { class: "actions" }, move("Previous", -1, hasPrev), move("Next", 1, hasNext)));
  };

  let pause = null;
  const later = (work) => { clearTimeout(pause); pause = setTimeout(work, PAUSE); };
  signal.addEventListener("abort", () => clearTimeout(pause));
  const control = ({ name, label, choices, all = "All", type = "search", placeholder }) => {
    const made = choices
      ? select(label, [["", all], ...choices], { name, value: filters[name], testid: `filter-${name}` })
      : field(label, { name, type, value: filters[name], placeholder, testid: `filter-${name}` });
    if (name === "search") made.element.classList.add("search");
    const take = () => { filters[name] = made.value.trim(); page = 1; changed(); };
    made.control.addEventListener(choices || type === "date" ? "change" : "input", choices || type === "date" ? take : () => later(take));
    return made;
  };
  const controls = Object.fromEntries(asked.map((one) => [one.name, control(one)]));

  if (every) repeat(look, every, signal, missed);
  else load();
  return {
    reload: load,
    element: h("section", { class: "card", "aria-label": title }, asked.length > 0 && h("div", { class: "filters", role: "search" }, Object.values(controls).map((one) => one.element)), above, list),
  };
}

// How the control that has the focus is found again once its row is drawn anew.
function focusIn(list) {
  const active = document.activeElement;
  if (!list.contains(active)) return null;
  if (active.dataset.testid) return `[data-testid="${CSS.escape(active.dataset.testid)}"]`;
  const row = active.closest("[data-row]")?.dataset.row;
  return row ? `[data-row="${CSS.escape(row)}"] .row-link` : null;
}
