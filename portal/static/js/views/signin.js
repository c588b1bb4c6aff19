// Sign in with a user name or an e-mail address.

import { call } from "../api.js";
import { h } from "../dom.js";
import { busy, button, notice } from "../components/basics.js";
import { field } from "../components/field.js";
import { brand } from "../components/shell.js";
import { themeButton } from "../components/theme.js";
import { signIn } from "../session.js";

function explain(error) {
  if (error.status === 401) return "That name and password do not belong together.";
  if (error.status === 429) return `Too many tries. Try again in ${error.retryAfter ? `${error.retryAfter} s` : "a few minutes"}.`;
  return error.message;
}

// Whether people may register is the API's to say; where it says nothing there is no link.
async function offerRegistration(place) {
  try {
    const { data } = await call("GET", "/api/portal/options", { anonymous: true });
    place.hidden = !data.registration_open;
  } catch { /* the form works without it */ }
}

export function signInView({ expired, done }) {
  const name = field("User name or e-mail", { name: "username", autocomplete: "username", required: true, spellcheck: "false", testid: "username" });
  const password = field("Password", { name: "password", type: "password", autocomplete: "current-password", required: true, testid: "password" });
  const problem = h("div", { role: "alert", testid: "sign-in-error" });
  const submit = button("Sign in", { kind: "primary", type: "submit", testid: "sign-in" });
  const register = h("a", { class: "small", href: "#/register", testid: "register", hidden: true }, "No account yet? Register");
  offerRegistration(register);
  const form = h("form", { class: "sign-in-form", testid: "sign-in-form", novalidate: true, on: { submit: async (event) => {
    event.preventDefault();
    problem.replaceChildren();
    name.error(name.value.trim() ? "" : "Enter your user name or e-mail address.");
    password.error(password.value ? "" : "Enter your password.");
    const missing = form.querySelector("[aria-invalid]");
    if (missing) { missing.focus(); return; }
    try {
      await busy(submit, () => signIn(name.value.trim(), password.value));
      done();
    } catch (error) {
      problem.replaceChildren(notice("bad", "alert", explain(error), error.requestId && error.status !== 401 && h("p", { class: "small mono" }, `Request ${error.requestId}`)));
      password.control.select();
      password.control.focus();
    }
  } } },
    brand(), h("h1", { tabindex: "-1" }, "Sign in"),
    expired && notice("warn", "clock", "Your session has ended. Sign in to go on where you were."),
    problem, name.element, password.element, submit,
    h("a", { class: "small", href: "#/forgot", testid: "forgot" }, "Forgotten your password?"), register, h("div", { class: "sign-in-foot" }, themeButton()));
  return {
    title: "Sign in", bare: true, focus: name.control,
    element: h("div", { class: "sign-in" },
      h("div", { class: "sign-in-art", "aria-hidden": "true" }, h("p", {}, "From order to afloat, step by step, in plain sight."),
        h("small", {}, "Every server, name and certificate of a new instance, watched live. What gets stuck waits for you.")),
      h("div", { class: "sign-in-main" }, form)),
  };
}
