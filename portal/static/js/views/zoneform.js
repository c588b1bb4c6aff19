// What operators do to a whole zone: make one, publish it again, take it away.

import { bullets } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field, select } from "../components/field.js";
import { said } from "../components/toast.js";
import { h } from "../dom.js";
import { go } from "../router.js";
import { zones } from "../zonesapi.js";

const KINDS = [["", "As configured"], ["Native", "Native: the name servers share one database"], ["Primary", "Primary: the others are told by NOTIFY"]];

// What became of a change by the time of its answer.
export const toldOf = (change, done, goesOn) => said(change.state === "published" ? done : goesOn);

export async function addZone(reload) {
  const name = field("Name", { name: "name", required: true, autocomplete: "off", spellcheck: "false", placeholder: "example.com", testid: "zone-name" });
  const kind = select("Kind", KINDS, { name: "kind", testid: "zone-kind" });
  const organizationId = field("Organization", { name: "organization", optional: true, autocomplete: "off", spellcheck: "false", hint: "Its id. Without one only the office may change the zone.", testid: "zone-organization" });
  const fields = { name, kind, organizationId };
  let made = null;
  const yes = await ask({
    title: "Add a zone", symbol: "globe", tone: "run", yes: "Add", kind: "primary", testid: "zone-dialog",
    body: [name.element, kind.element, organizationId.element],
    act: async () => {
      for (const one of Object.values(fields)) one.error("");
      try {
        made = await zones.create({ name: name.value.trim(), kind: kind.value || null, organizationId: organizationId.value.trim() || null });
      } catch (error) {
        for (const [key, one] of Object.entries(fields)) if (error.fields?.[key]) { one.error(error.fields[key]); one.control.focus(); }
        if (!error.fields || !Object.keys(error.fields).length) reload(); // the row may be there although its publication failed
        throw error;
      }
    },
  });
  if (!yes) return;
  toldOf(made.change, `${made.zone.name} is served.`, `${made.zone.name} is being published.`);
  go(`/zones/${made.zone.id}`);
}

export async function publishZone(zone, again) {
  try {
    const { change } = await zones.publish(zone.id);
    toldOf(change, `${zone.name} is published as its rows say.`, `${zone.name} is being published.`);
  } finally {
    again(); // a failure is written on the zone too
  }
}

export async function askRemoveZone(zone, again) {
  const typed = field(`Type ${zone.name} to confirm`, { name: "confirm", autocomplete: "off", spellcheck: "false", testid: "remove-confirm" });
  let gone = null;
  const yes = await ask({
    title: `Take ${zone.name} away?`, symbol: "trash", tone: "bad", yes: "Take it away", testid: "remove-dialog",
    body: [bullets("info", "warn", ["Its names stop being answered by our name servers", "Its last export is kept here", "It is refused, and nothing changes, where the zone holds what is not ours"]), typed.element],
    ready: (allow) => { allow(false); typed.control.addEventListener("input", () => allow(typed.value.trim() === zone.name)); },
    act: async () => {
      try { gone = await zones.remove(zone.id, zone.name); } catch (error) { again(); throw error; }
    },
  });
  if (!yes) return;
  toldOf(gone.change, `${zone.name} is taken away.`, `${zone.name} is being taken away.`);
  again();
}
