// The API's password policy, so that it is answered beside the field; the API has the last word.

export const PASSWORD_RULE = "At least 12 characters, or 8 with upper and lower case, a digit and a symbol.";

const KINDS = [/[A-Z]/, /[a-z]/, /[0-9]/, /[^A-Za-z0-9]/];

export function passwordProblem(text) {
  if (!text) return "Enter a password.";
  if (new TextEncoder().encode(text).length > 72) return "Use at most 72 bytes.";
  return text.length >= 12 || (text.length >= 8 && KINDS.every((kind) => kind.test(text))) ? "" : PASSWORD_RULE;
}
