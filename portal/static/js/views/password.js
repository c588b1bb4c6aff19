// A new password: by choice, or because the first one was given by somebody else.

import { h } from "../dom.js";
import { busy, button, notice } from "../components/basics.js";
import { field } from "../components/field.js";
import { failed, said } from "../components/toast.js";
import { PASSWORD_RULE, passwordProblem } from "../passwords.js";
import { changePassword, user } from "../session.js";

export function passwordView({ forced, done }) {
  const current = field("Current password", { name: "currentPassword", type: "password", autocomplete: "current-password", required: true, testid: "current-password" });
  const next = field("New password", { name: "newPassword", type: "password", autocomplete: "new-password", required: true, testid: "new-password", hint: `${PASSWORD_RULE} A few unrelated words are fine.` });
  const again = field("New password once more", { name: "again", type: "password", autocomplete: "new-password", required: true, testid: "new-password-again" });
  const submit = button("Change password", { kind: "primary", type: "submit", testid: "change-password" });
  const form = h("form", { class: "card-body stack", testid: "password-form", novalidate: true, on: { submit: async (event) => {
    event.preventDefault();
    current.error(current.value ? "" : "Enter the password you signed in with.");
    next.error(passwordProblem(next.value) || (next.value === current.value ? "Choose a password that differs from the current one." : ""));
    again.error(again.value === next.value ? "" : "The two new passwords differ.");
    const wrong = form.querySelector("[aria-invalid]");
    if (wrong) { wrong.focus(); return; }
    try {
      await busy(submit, () => changePassword(current.value, next.value));
      said("Your password is changed.");
      done();
    } catch (error) {
      const named = error.fields.newPassword ?? error.fields.currentPassword;
      if (error.fields.newPassword) next.error(error.fields.newPassword);
      else if (error.fields.currentPassword || error.code === "INVALID_CREDENTIALS") current.error(error.fields.currentPassword ?? "This is not your current password.");
      if (!named && error.code !== "INVALID_CREDENTIALS") failed(error);
      form.querySelector("[aria-invalid]")?.focus();
    }
  } } },
    h("input", { type: "text", autocomplete: "username", value: user()?.username ?? "", hidden: true, readOnly: true }),
    forced && notice("warn", "key", h("b", {}, "Choose a password of your own. "), "The one you signed in with was given to you and works for this only."),
    current.element, next.element, again.element, h("div", { class: "actions" }, submit, !forced && button("Back", { href: "#/" })));
  return {
    title: "Change password", focus: forced ? current.control : undefined,
    element: h("div", { class: "stack narrow" }, h("h1", { tabindex: "-1" }, "Change password"), h("section", { class: "card" }, form)),
  };
}
