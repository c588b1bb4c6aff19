// Certificates that came with their keys: which there are, and the questions that bring, replace or withdraw one.
// For operators, and only where the settings allow keys to be uploaded.

import { repeat } from "../clock.js";
import { bullets, button, card, chip, redraw } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field } from "../components/field.js";
import { failed, said } from "../components/toast.js";
import { uploads } from "../certificatesapi.js";
import { certificateState, daysText } from "../certificatestates.js";
import { h } from "../dom.js";
import { dateTime } from "../format.js";

const EVERY = 15; // seconds between looks

export function uploadBlock(signal) {
  const place = h("div", { testid: "uploads-place" });
  const begin = button("Upload one", { symbol: "key", testid: "begin-upload", on: { click: () => askUpload(null, look).catch(failed) } });
  begin.hidden = true;
  let drawn = "";
  const look = async () => {
    const { uploads: found, open } = await uploads.list(signal);
    const text = JSON.stringify([found, open]);
    if (text === drawn) return;
    drawn = text;
    begin.hidden = !open;
    redraw(place, found.length > 0 && block(found, open, look));
  };
  repeat(look, EVERY, signal, (error) => { if (error.status !== 401 && error.status !== 429) failed(error); });
  return { element: place, begin };
}

function block(found, open, look) {
  return card("Uploaded with their keys", {
    sub: "Each of these keys is on every server that it serves. Where nobody brings a successor in time, our CA issues one for a key of the server's own.",
    testid: "uploads",
    body: h("table", { class: "table" },
      h("thead", {}, h("tr", {}, ["Names", "Expires", "State", "Places", ""].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, found.map((one) => row(one, open, look)))),
  });
}

function row(one, open, look) {
  const withdrawn = one.state === "withdrawn";
  return h("tr", { testid: `upload-${one.domain}` },
    h("td", { class: "message" }, h("b", { class: "break" }, one.names.join(", ")), h("span", { class: "sub break" }, [one.issuer, `by ${one.uploaded_by}`, one.default && "default of new sites"].filter(Boolean).join(" · "))),
    h("td", { class: "left" }, h("time", { datetime: one.valid_to, class: "nowrap" }, dateTime(one.valid_to)), h("span", { class: "sub" }, withdrawn ? "" : daysText(one.days_left))),
    h("td", { class: "left" }, chip(certificateState(one))),
    h("td", { class: "left" }, placesText(one)),
    h("td", { class: "end" }, !withdrawn && h("div", { class: "actions" },
      open && button("Replace", { kind: "small", testid: `replace-${one.domain}`, on: { click: () => askUpload(one, look).catch(failed) } }),
      button("Withdraw", { kind: "small danger", testid: `withdraw-${one.domain}`, on: { click: () => askWithdraw(one, look).catch(failed) } }))));
}

function placesText({ serving, waiting }) {
  const text = [serving && `serves ${serving}`, waiting && `on its way to ${waiting}`].filter(Boolean).join(", ");
  return text || h("span", { class: "muted" }, "nowhere");
}

async function askUpload(old, look) {
  const certificate = field("Certificate and its chain", { name: "certificate", type: "textarea", autocomplete: "off", spellcheck: "false", required: true, hint: "PEM: the certificate itself first, each followed by its issuer's.", testid: "upload-certificate" });
  const key = field("Private key", { name: "privateKey", type: "textarea", autocomplete: "off", spellcheck: "false", required: true, hint: "PEM, without a password. Stored encrypted and never shown again.", testid: "upload-key" });
  const domains = field("Served names", { name: "domains", optional: true, spellcheck: "false", hint: "Separated by spaces: sites and instances that are to serve it from now on.", testid: "upload-domains" });
  const usual = h("input", { type: "checkbox", name: "default", testid: "upload-default" });
  const fields = { certificate, privateKey: key, domains };
  const yes = await ask({
    title: old ? `Replace the certificate for ${old.domain}?` : "Upload a certificate with its key?", symbol: "key", tone: "warn", yes: old ? "Replace it" : "Upload it", kind: "primary", testid: "upload-dialog",
    body: [h("p", {}, old ? "It takes the places of the old one, and its mark as the default." : "Keys that are made on their servers are safer: this one will be on each server that it serves."),
      certificate.element, key.element, !old && domains.element,
      !old && h("label", { class: "check" }, usual, h("span", {}, "Default of new sites whose names it covers"))].filter(Boolean),
    act: async () => {
      for (const one of Object.values(fields)) one.error("");
      try {
        await uploads.bring({ certificate: certificate.value, privateKey: key.value, default: usual.checked,
          domains: domains.value.split(/[\s,]+/).filter(Boolean), ...(old ? { replaces: old.id } : {}) });
      } catch (error) {
        show(fields, error.fields ?? {});
        throw error;
      }
    },
  });
  if (!yes) return;
  said("The certificate is kept, and is being put in its places.");
  await look();
}

// A name is told by its place in the list, which has one field here.
function show(fields, told) {
  for (const [at, text] of Object.entries(told)) {
    const one = fields[at.split(".")[0]];
    if (one) { one.error(text); one.control.focus(); }
  }
}

async function askWithdraw(one, look) {
  const yes = await ask({
    title: `Withdraw the certificate for ${one.domain}?`, symbol: "alert", tone: "bad", yes: "Withdraw it", testid: "withdraw-dialog",
    body: [bullets("info", "bad", ["Its key is destroyed here and is not taken again",
      one.serving ? `Its ${one.serving} places get certificates of our CA, each for a key of its own; until then they serve this one` : "It is served nowhere",
      "Where the key may be known to others, have it revoked at its CA as well"])],
    act: () => uploads.withdraw(one.id),
  });
  if (!yes) return;
  said(`The certificate for ${one.domain} is withdrawn.`);
  await look();
}
