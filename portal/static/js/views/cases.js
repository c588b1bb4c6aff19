// What is settled by hand: how, is said in a note that the audit log keeps.

import { ask } from "../components/dialog.js";
import { field } from "../components/field.js";
import { said } from "../components/toast.js";
import { h } from "../dom.js";
import { sales } from "../salesapi.js";
import { zones } from "../zonesapi.js";

export const settleCase = (id, what, message) =>
  settle(what, message, "For instance: paid back by hand, or ordered by hand as …", (note) => sales.settleCase(id, note));

export const settleZoneChange = (one) =>
  settle(`${one.label}: ${one.what}`, one.message, "For instance: mended at the name server, or not wanted any more. Nothing is published by this.",
    (note) => zones.settleChange(one.zone_id, one.change_id, note));

async function settle(what, message, hint, act) {
  const note = field("What was done", { name: "note", type: "textarea", hint, testid: "settle-note" });
  const done = await ask({
    title: "Settle this case", tone: "warn", symbol: "alert", yes: "Settle", kind: "primary", testid: "settle",
    body: h("div", { class: "stack" }, h("p", {}, what), h("p", { class: "small muted" }, message), note.element),
    act: async () => {
      note.error("");
      if (!note.value.trim()) { note.error("Say how it was dealt with."); note.control.focus(); throw new Error("The case needs a note."); }
      await act(note.value.trim());
    },
  });
  if (done) said("The case is settled.");
  return done;
}
