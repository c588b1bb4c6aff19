// Values as people read them. Times are compared with the server's clock, which api.js keeps in step.

let skew = 0; // server minus browser, in milliseconds

export function syncClock(timestamp) {
  const at = Date.parse(timestamp);
  if (!Number.isNaN(at) && Math.abs(at - Date.now() - skew) > 1500) skew = at - Date.now();
}

export const now = () => Date.now() + skew;

export function duration(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  const [d, hours, m, s] = [Math.floor(total / 86400), Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60, total % 60];
  if (d) return `${d} d ${hours} h`;
  if (hours) return `${hours} h ${String(m).padStart(2, "0")} min`;
  if (m) return `${m} min ${String(s).padStart(2, "0")} s`;
  return `${s} s`;
}

// One unit is enough where a list is scanned.
export function brief(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)} min`;
  if (total < 86400) return `${Math.floor(total / 3600)} h`;
  return `${Math.floor(total / 86400)} d`;
}

export const since = (timestamp) => (now() - Date.parse(timestamp)) / 1000;

export const clockTime = (timestamp) => new Date(timestamp).toLocaleTimeString("en-GB", { hour12: false });

export const dateTime = (timestamp) =>
  new Date(timestamp).toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });

export function money(cents, currency) {
  if (cents === null || cents === undefined) return "–";
  return new Intl.NumberFormat("en-GB", { style: "currency", currency: currency || "EUR" }).format(cents / 100);
}

// "12.50 EUR", and the way back. Both keep to whole cents and text: 0.1 + 0.2 is not 0.3 in a fraction.
export const price = (cents, currency) => `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, "0")} ${currency}`;
export function centsOf(text) {
  const found = /^(\d{1,7})(?:[.,](\d{1,2}))?$/.exec(text.trim());
  return found ? Number(found[1]) * 100 + Number((found[2] ?? "").padEnd(2, "0")) : null;
}

// What an hour costs is less than a cent at times.
export function hourly(amount, currency) {
  if (amount === null || amount === undefined) return "";
  return new Intl.NumberFormat("en-GB", { style: "currency", currency: currency || "EUR", minimumFractionDigits: 2, maximumFractionDigits: 5 }).format(amount);
}

export const capital = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "");
export const words = (text) => capital(String(text ?? "").replaceAll("_", " "));
// "QuotaExceeded" -> "Quota exceeded"
export const spaced = (text) => capital(String(text ?? "").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase());
