// One run as it happens: the event stream first, polling as the second way, and silence once the run is over.

import { api } from "./api.js";
import { follow } from "./stream.js";

const POLL = 5_000; // the documented interval
const PAGE = 500;
const WAKE_TRIES = 20;
const SETTLE = 250; // several events in a row cost one look at the status

// A step event of the stream as the log shows it; the same as the API's own rule for lines.
const levelOf = (state) => (["parked", "escalated", "undo_parked"].includes(state) ? "warning" : "info");

export class LiveRun {
  constructor(id, { onStatus, onLines, onConnection, onError }, signal) {
    Object.assign(this, { id, onStatus, onLines, onConnection, onError, signal });
    this.status = null;
    this.etag = null;
    this.position = 0;
    this.seen = new Set();
    this.streaming = false;
    this.watch = null;
    this.settling = null;
    this.looking = null;
    this.caughtUp = false;
    signal.addEventListener("abort", () => this.rest());
  }

  async start() {
    await this.look();
    await this.catchUp();
    this.caughtUp = true;
    this.follow();
  }

  // After an operator's decision: a run that was over lives again as soon as its workflow has written its first line.
  async wake() {
    this.etag = null;
    await this.look();
    for (let tries = 0; this.status.done && tries < WAKE_TRIES && !this.signal.aborted; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await this.look();
    }
  }

  rest() {
    this.watch?.abort();
    this.watch = null;
    clearTimeout(this.settling);
    this.settling = null;
  }

  follow() {
    if (this.watch || this.status.done || this.signal.aborted) return;
    const watch = new AbortController();
    this.watch = watch;
    this.poll(watch.signal);
    follow(this.id, {
      after: this.position, signal: watch.signal,
      onEvent: (type, data, id) => this.event(type, data, id),
      onState: (state) => {
        this.streaming = state === "live";
        if (state === "live") this.later(0);
        if (!watch.signal.aborted) this.onConnection(state === "live" ? "live" : "polling");
        if (state === "ended") this.later(0);
      },
    });
  }

  poll(signal) {
    const round = async () => {
      if (!this.streaming && !document.hidden) {
        try {
          await this.look();
          await this.catchUp();
        } catch (error) {
          if (!signal.aborted) this.onConnection(error.status === 0 ? "offline" : "polling");
        }
      }
      if (!signal.aborted) timer = setTimeout(round, POLL);
    };
    let timer = setTimeout(round, POLL);
    signal.addEventListener("abort", () => clearTimeout(timer));
  }

  event(type, data, id) {
    if (type === "log" || type === "step") {
      this.add([{ ...data, timestamp: data.timestamp ?? data.at, level: data.level ?? levelOf(data.state), position: Number(data.position ?? id) }]);
    }
    if (type === "status" && data.steps) {
      clearTimeout(this.settling);
      this.settling = null;
      this.take(data).catch(this.onError);
    } else if (type !== "log") this.later(type === "end" ? 0 : SETTLE);
  }

  later(milliseconds) {
    if (this.settling !== null || this.signal.aborted) return;
    this.settling = setTimeout(async () => {
      this.settling = null;
      try {
        await this.look();
      } catch (error) {
        if (this.signal.aborted) return;
        this.onError(error);
        this.later(error.retryAfter ? error.retryAfter * 1000 : POLL);
      }
    }, milliseconds);
  }

  // Looks one after the other: an older answer must never overwrite a newer one.
  async look() {
    const before = this.looking;
    const turn = (async () => {
      await before?.catch(() => {});
      const { data, etag, notModified } = await api.status(this.id, this.etag, this.signal);
      if (notModified) return;
      this.etag = etag;
      await this.take(data);
    })();
    this.looking = turn;
    await turn;
  }

  // The stream and a look may cross: what is older than what is shown is dropped.
  async take(status) {
    if (this.status && status.position < this.status.position) return;
    this.status = status;
    this.onStatus(status);
    if (status.done) await this.finish();
    else if (this.caughtUp) this.follow();
  }

  async finish() {
    const wasWatching = this.watch !== null;
    this.rest();
    this.streaming = false;
    if (wasWatching) await this.catchUp();
    this.onConnection("done");
  }

  async catchUp() {
    for (;;) {
      const { logs } = await api.logs(this.id, this.position, PAGE, this.signal);
      this.add(logs.map((line) => ({ ...line })));
      if (logs.length < PAGE) return;
    }
  }

  add(lines) {
    const fresh = lines.filter(({ position, message }) => {
      if (!Number.isFinite(position)) return true;
      if (this.seen.has(position)) return false;
      this.seen.add(position);
      this.position = Math.max(this.position, position);
      return Boolean(message);
    });
    if (fresh.length) this.onLines(fresh);
  }
}
