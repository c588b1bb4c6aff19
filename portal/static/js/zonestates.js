// The vocabulary of zones and of changes to them, in the shape of states.js.

import { words } from "./format.js";
import { entry } from "./states.js";

export const RECORD_TYPES = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SRV", "TLSA", "TXT"];

const DONE = { zone: "Published", set: "Published", end: "Taken away" };
const GOING_ON = { zone: "Being published", set: "Being published", end: "Being taken away" };
const REFUSED = { zone: "Not published", set: "Not published", end: "Not taken away" };

// `gone`: a set that nobody wants any more, whose removal has not been seen everywhere.
export function changeState({ kind, state }, gone = false) {
  const what = gone ? "end" : kind;
  if (state === "waiting") return entry(GOING_ON[what] ?? "Under way", "run", "spin", true);
  if (state === "failed") return entry(REFUSED[what] ?? "Failed", "bad", "cross");
  return entry(DONE[what] ?? words(state), "ok", "check");
}

// How long others may remember an answer, in its largest whole unit.
export function ttlText(seconds) {
  const [unit, length] = [["d", 86400], ["h", 3600], ["min", 60]].find(([, length]) => seconds % length === 0) ?? ["s", 1];
  return `${seconds / length} ${unit}`;
}

// What a look at the name servers found of one set.
export const seenState = (inSync) => (inSync ? entry("Seen there", "ok", "eye") : entry("Differs there", "warn", "alert"));
