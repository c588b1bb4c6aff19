// A forgotten password: ask for a link by mail, and choose a new password with it. Both without a session.

import { call } from "../api.js";
import { busy, button, notice } from "../components/basics.js";
import { field } from "../components/field.js";
import { brand } from "../components/shell.js";
import { h } from "../dom.js";
import { PASSWORD_RULE, passwordProblem } from "../passwords.js";

// A page without a session: a form beside the picture.
export function page(title, focus, ...parts) {
  return {
    title, bare: true, focus,
    element: h("div", { class: "sign-in" }, h("div", { class: "sign-in-art", "aria-hidden": "true" },
      h("p", {}, "From order to afloat, step by step, in plain sight.")), h("div", { class: "sign-in-main" }, ...parts)),
  };
}

// A form that becomes its answer once it was accepted.
export function form(testid, submit, parts, send) {
  const problem = h("div", { role: "alert", testid: `${testid}-problem` });
  const element = h("form", { class: "sign-in-form", testid, novalidate: true, on: { submit: async (event) => {
    event.preventDefault();
    problem.replaceChildren();
    try {
      const answer = await busy(submit, send);
      if (answer) element.replaceChildren(brand(), h("h1", { tabindex: "-1" }, answer.title),
        notice("good", "check", answer.message), button("To the sign-in", { href: "#/" }));
    } catch (error) {
      problem.replaceChildren(notice("bad", "alert", error.message));
    }
    (element.querySelector("[aria-invalid]") ?? element.querySelector("h1")).focus();
  } } }, brand(), ...parts.slice(0, 1), problem, ...parts.slice(1), submit, button("Back", { href: "#/" }));
  return element;
}

export function forgotView() {
  const email = field("E-mail", { name: "email", type: "email", autocomplete: "email", required: true, testid: "forgot-email", hint: "The address of your account. The link works once, for an hour." });
  const submit = button("Send a link", { kind: "primary", type: "submit", testid: "forgot-send" });
  return page("Forgotten password", email.control, form("forgot-form", submit,
    [h("h1", { tabindex: "-1" }, "Forgotten your password?"), email.element], async () => {
      email.error(email.value.includes("@") ? "" : "Enter the e-mail address of your account.");
      if (!email.value.includes("@")) return null;
      const { data } = await call("POST", "/api/auth/password/forgot", { body: { email: email.value.trim() }, anonymous: true });
      return { title: "Look into your mailbox", message: data.message };
    }));
}

export function resetView({ token }) {
  const next = field("New password", { name: "newPassword", type: "password", autocomplete: "new-password", required: true, testid: "reset-password", hint: PASSWORD_RULE });
  const again = field("New password once more", { name: "again", type: "password", autocomplete: "new-password", required: true, testid: "reset-again" });
  const submit = button("Set the password", { kind: "primary", type: "submit", testid: "reset-send" });
  return page("New password", next.control, form("reset-form", submit,
    [h("h1", { tabindex: "-1" }, "Choose a new password"), next.element, again.element], async () => {
      next.error(passwordProblem(next.value));
      again.error(again.value === next.value ? "" : "The two new passwords differ.");
      if (passwordProblem(next.value) || again.value !== next.value) return null;
      const { data } = await call("POST", "/api/auth/password/reset", { body: { token, new_password: next.value }, anonymous: true });
      return { title: "Your password is changed", message: data.message };
    }));
}
