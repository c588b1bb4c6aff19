// An account of one's own: asked for, and opened with the mail's link and the password that was chosen. No session needed.

import { call } from "../api.js";
import { button } from "../components/basics.js";
import { field } from "../components/field.js";
import { h } from "../dom.js";
import { PASSWORD_RULE, passwordProblem } from "../passwords.js";
import { form, page } from "./reset.js";

// What the API says of a field is shown at it.
async function send(path, body, fields) {
  try {
    return (await call("POST", path, { body, anonymous: true })).data;
  } catch (error) {
    for (const [name, one] of Object.entries(fields)) if (error.fields?.[name]) one.error(error.fields[name]);
    throw error;
  }
}

export function registerView() {
  const name = field("Name", { name: "name", autocomplete: "name", required: true, testid: "register-name" });
  const email = field("E-mail", { name: "email", type: "email", autocomplete: "email", required: true, testid: "register-email", hint: "A link that opens the account is sent there. It works once, for a day." });
  const password = field("Password", { name: "password", type: "password", autocomplete: "new-password", required: true, testid: "register-password", hint: PASSWORD_RULE });
  const confirmPassword = field("Password once more", { name: "confirmPassword", type: "password", autocomplete: "new-password", required: true, testid: "register-again" });
  const fields = { name, email, password, confirmPassword };
  const submit = button("Register", { kind: "primary", type: "submit", testid: "register-send" });
  return page("Register", name.control, form("register-form", submit,
    [h("h1", { tabindex: "-1" }, "Make an account"), ...Object.values(fields).map((one) => one.element)], async () => {
      name.error(name.value.trim() ? "" : "Enter your name.");
      email.error(email.value.includes("@") ? "" : "Enter your e-mail address.");
      password.error(passwordProblem(password.value));
      confirmPassword.error(confirmPassword.value === password.value ? "" : "The two passwords differ.");
      if (Object.values(fields).some((one) => one.control.hasAttribute("aria-invalid"))) return null;
      const data = await send("/api/auth/register", { name: name.value.trim(), email: email.value.trim(), password: password.value, confirmPassword: confirmPassword.value }, fields);
      return { title: "Look into your mailbox", message: data.message };
    }));
}

export function confirmView({ token }) {
  const password = field("Password", { name: "password", type: "password", autocomplete: "current-password", required: true, testid: "confirm-password", hint: "The one you chose when you registered." });
  const submit = button("Open the account", { kind: "primary", type: "submit", testid: "confirm-send" });
  return page("Open your account", password.control, form("confirm-form", submit,
    [h("h1", { tabindex: "-1" }, "Open your account"), password.element], async () => {
      password.error(password.value ? "" : "Enter your password.");
      if (!password.value) return null;
      const data = await send("/api/auth/register/confirm", { token, password: password.value }, { password });
      return { title: "Your account is open", message: `${data.message}. Your user name is ${data.user.username}.` };
    }));
}
