// A page about one thing: read at once, then every few seconds until it is over; what was built is changed in place.

import { repeat } from "../clock.js";
import { h, replace } from "../dom.js";
import { missing } from "../views/missing.js";
import { button, notice, skeleton } from "./basics.js";
import { failed } from "./toast.js";

// `read(signal)` answers what there is; `build(data, again)` makes { element, title, update(data) }; `over(data)` says
// that nothing will change by itself. `again` looks at once and goes on looking: for after a decision.
export function livePage({ title, noun, signal, every = 5, read, build, over = () => false }) {
  const heading = () => h("h1", { tabindex: "-1" }, title);
  const root = h("div", { class: "stack" }, heading(), h("section", { class: "card" }, skeleton("40%", "80%", "60%", "70%")));
  let page = null;
  let watch = null;
  signal.addEventListener("abort", () => watch?.abort());

  const again = () => {
    watch?.abort();
    watch = new AbortController();
    const mine = watch;
    repeat(async () => {
      const data = await read(signal);
      if (mine.signal.aborted) return;
      const first = page === null;
      if (first) { page = build(data, again); replace(root, page.element); }
      await page.update(data);
      // The heading that had the focus is gone; whoever has moved on meanwhile keeps it.
      if (first && document.activeElement === document.body) page.title.focus({ preventScroll: true });
      if (over(data)) mine.abort();
    }, every, mine.signal, broken);
  };
  const broken = (error) => {
    if (error.status === 401 || error.name === "AbortError") return;
    if (error.status === 404) { watch.abort(); replace(root, missing(`There is no such ${noun}.`)); return; }
    if (page) { if (error.status !== 429) failed(error); return; }
    watch.abort();
    replace(root, heading(), notice("bad", "alert", error.message, error.requestId && h("p", { class: "small mono break" }, `Request ${error.requestId}`)),
      h("div", {}, button("Try again", { symbol: "retry", on: { click: again } })));
  };
  again();
  return { title, element: root };
}
