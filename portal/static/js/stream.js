// Server-sent events over fetch, because EventSource cannot send an Authorization header.
// Reconnects with back-off and goes on after the last event it has seen.

import { api, ApiError } from "./api.js";

const SILENCE = 45_000; // the server sends comments in between; longer silence means a dead connection
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

async function read(response, onEvent, touch) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let buffer = "";
  let event = { type: "message", data: [], id: undefined };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    touch();
    buffer += decoder.decode(value, { stream: true });
    const lines = buffer.split(/\r\n|\n|\r(?!$)/);
    buffer = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data.length) onEvent({ ...event, data: event.data.join("\n") });
        event = { type: "message", data: [], id: undefined };
        continue;
      }
      if (line.startsWith(":")) continue;
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") event.type = text;
      else if (field === "data") event.data.push(text);
      else if (field === "id") event.id = text;
    }
  }
}

const pause = (milliseconds, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, milliseconds);
  signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
});

// Runs until `signal` ends, the run ends (event `end`), or the stream is refused for good.
export async function follow(id, { after, onEvent, onState, signal }) {
  let last = after;
  let wait = FIRST_WAIT;
  while (!signal.aborted) {
    const connection = new AbortController();
    const stop = () => connection.abort();
    signal.addEventListener("abort", stop, { once: true });
    let silence = setTimeout(stop, SILENCE);
    const touch = () => { clearTimeout(silence); silence = setTimeout(stop, SILENCE); };
    let ended = false;
    try {
      const { response } = await api.events(id, last, connection.signal);
      if (!response.ok || !response.body) throw new ApiError(response.status, null);
      onState("live");
      await read(response, (event) => {
        wait = FIRST_WAIT;
        if (event.id !== undefined && event.id !== "") last = event.id;
        let data = {};
        try { data = JSON.parse(event.data); } catch { return; }
        if (event.type === "end") ended = true;
        onEvent(event.type, data, event.id);
      }, touch);
    } catch (error) {
      if (error.status === 403 || error.status === 404) { onState("refused"); return; }
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", stop);
      connection.abort();
    }
    if (signal.aborted) return;
    if (ended) { onState("ended"); return; }
    onState("waiting");
    await pause(wait * (0.75 + Math.random() / 2), signal);
    wait = Math.min(LONGEST_WAIT, wait * 2);
  }
}
