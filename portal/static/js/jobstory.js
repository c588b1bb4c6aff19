// The log of several jobs as one: each is read on from where it was left, and only when its row says that there is more.

import { sales } from "./salesapi.js";

const PAGE = 500;

export class JobStory {
  constructor(onLines, signal) {
    Object.assign(this, { onLines, signal });
    this.read = new Map(); // job id -> position
    this.turn = Promise.resolve();
  }

  // One look after the other: two at a time would read the same lines twice.
  update(jobs) {
    this.turn = this.turn.catch(() => {}).then(() => this.look(jobs));
    return this.turn;
  }

  async look(jobs) {
    const found = await Promise.all(jobs.map((job) => this.more(job)));
    const lines = found.flat().sort((a, b) => a.position - b.position);
    if (lines.length) this.onLines(lines);
  }

  async more(job) {
    const lines = [];
    let after = this.read.get(job.id) ?? 0;
    for (let more = job.position > after; more;) {
      const reply = await sales.jobEvents(job.id, after, PAGE, this.signal);
      lines.push(...reply.events);
      after = reply.position;
      more = reply.has_more;
    }
    this.read.set(job.id, after);
    // Positions count within one job; between jobs, time is the order.
    return lines.filter(({ message }) => message).map((line) => ({ ...line, position: Date.parse(line.timestamp) }));
  }
}
