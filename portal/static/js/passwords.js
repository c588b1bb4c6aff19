// The API's password policy, so that it is answered beside the field; the API has the last word.

export const PASSWORD_RULE = "At least 12 characters, or 8 with upper and lower case, a digit and a symbol.";

const LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"; // none that looks like another

// Drawn evenly: a number beyond the last whole multiple of the alphabet is drawn again.
export function newPassword(length = 20) {
  const limit = 256 - (256 % LETTERS.length);
  let made = "";
  while (made.length < length) {
    const [drawn] = crypto.getRandomValues(new Uint8Array(1));
    if (drawn < limit) made += LETTERS[drawn % LETTERS.length];
  }
  return made;
}

const KINDS = [/[A-Z]/, /[a-z]/, /[0-9]/, /[^A-Za-z0-9]/];

export function passwordProblem(text) {
  if (!text) return "Enter a password.";
  if (new TextEncoder().encode(text).length > 72) return "Use at most 72 bytes.";
  return text.length >= 12 || (text.length >= 8 && KINDS.every((kind) => kind.test(text))) ? "" : PASSWORD_RULE;
}
