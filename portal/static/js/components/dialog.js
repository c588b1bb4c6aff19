// A modal question. <dialog> keeps the focus inside and gives it back afterwards; Escape means no.

import { h, uid } from "../dom.js";
import { icon } from "../icons.js";
import { busy, button, errorText, showError } from "./basics.js";

// `no: null` leaves yes as the only way out, for what cannot be read again.
// `act` runs on yes and the dialog stays open until it has succeeded; its error is shown inside.
export function ask({ title, tone = "warn", symbol = "alert", body, yes, no = "Not now", kind = "danger solid", ready, act, testid }) {
  return new Promise((resolve) => {
    const name = uid("dialog");
    const problem = errorText(uid("problem"));
    problem.setAttribute("role", "alert");
    let answer = false;
    const confirm = button(yes, { type: "submit", kind, testid: testid && `${testid}-confirm` });
    const form = h("form", { method: "dialog", on: { submit: async (event) => {
      event.preventDefault();
      if (confirm.disabled) return;
      showError(problem, "");
      try {
        await busy(confirm, act);
        answer = true;
        dialog.close();
      } catch (error) {
        showError(problem, error.requestId ? `${error.message} (request ${error.requestId})` : error.message);
      }
    } } },
      h("div", { class: `dialog-head tone-${tone}` }, icon(symbol), h("h2", { id: name }, title)),
      h("div", { class: "dialog-body" }, body, problem),
      h("div", { class: "dialog-foot" }, no && button(no, { on: { click: () => dialog.close() } }), confirm));
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": name, testid, on: {
      cancel: (event) => { if (!no) event.preventDefault(); },
      close: () => { dialog.remove(); resolve(answer); },
    } }, form);
    if (ready) ready((allowed) => { confirm.disabled = !allowed; });
    document.body.append(dialog);
    dialog.showModal();
  });
}
