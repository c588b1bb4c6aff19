// The vocabulary of certificates and of drills, in the shape of states.js.

import { words } from "./format.js";
import { entry } from "./states.js";

const STATE = {
  valid: entry("Valid", "ok", "check"),
  expired: entry("Expired", "bad", "cross"),
  revoked: entry("Revoked", "bad", "alert"),
  superseded: entry("Replaced", "idle", "stop"),
  withdrawn: entry("Withdrawn", "idle", "stop"),
};
const DRILL = {
  running: entry("Running", "run", "spin", true),
  paused: entry("Paused", "warn", "hand"),
  stopped: entry("Stopped", "idle", "stop"),
  done: entry("Done", "ok", "check"),
};
// What comes next by itself.
const ACTION = {
  poll: "Its CA is asked when to renew",
  renew: "Renewal",
  rehearse: "Rehearsal at the staging CA",
  second_ca: "Renewal at the second CA",
  emergency: "Renewal, its life is nearly over",
};

export const SOON = 14; // days, as the API's filter `expiring`
export const STATES = [["expiring", "Expire within two weeks"], ["failing", "Renewal failed"], ["urgent", "Urgent"], ["expired", "Expired"], ["superseded", "Replaced ones"]];

export function certificateState({ state, days_left: left }) {
  if (state === "valid" && left < SOON) return entry("Expires soon", "warn", "clock");
  return STATE[state] ?? entry(words(state), "idle", "dot");
}
export const drillState = (name) => DRILL[name] ?? entry(words(name), "idle", "dot");
export const actionText = (name) => ACTION[name] ?? words(name);

export function daysText(days) {
  if (days < 0) return days === -1 ? "ended yesterday" : `ended ${-days} days ago`;
  return days === 1 ? "1 day left" : `${days} days left`;
}

// A CA by its host, which is what people know of it.
export function caName(directory) {
  try { return new URL(directory).host; } catch { return directory; }
}
