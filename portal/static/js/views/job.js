// One job: a change to a subscription, a server's set-up, or a part of an order on its own.

import { button } from "../components/basics.js";
import { ask } from "../components/dialog.js";
import { field } from "../components/field.js";
import { Head } from "../components/head.js";
import { JobRun } from "../components/jobrun.js";
import { livePage } from "../components/livepage.js";
import { failed, said } from "../components/toast.js";
import { h } from "../dom.js";
import { dateTime } from "../format.js";
import { sales } from "../salesapi.js";
import { jobName, jobState } from "../salesstates.js";
import { mayOperate } from "../session.js";

export function jobView({ params, signal }) {
  return livePage({
    title: "Job", noun: "job", signal, read: (signal) => sales.job(params.id, signal),
    build: (data, again) => new JobPage(again, signal),
    over: (job) => Boolean(job.ended_at),
  });
}

class JobPage {
  constructor(again, signal) {
    this.again = again;
    this.head = new Head("Job");
    this.title = this.head.title;
    this.run = new JobRun(again, signal);
    this.element = h("div", { class: "stack run" }, this.head.element, this.run.element);
  }

  async update(job) {
    this.head.update(jobName(job.type), jobState(job), job.error_message ?? job.status_message, [job.status, job.attention, job.phase, job.ended_at, job.attempts], () => ({
      under: h("span", { class: "muted" }, job.workflow_id),
      facts: [
        ["Created", dateTime(job.created_at)], ["Ended", job.ended_at && dateTime(job.ended_at)], ["Asked for by", job.requested_by], ["Why", job.payload.reason],
        ["Subscription", job.subscription_id && h("a", { href: `#/subscriptions/${job.subscription_id}` }, "Open")],
        ["Server", job.server_id && h("a", { href: `#/house-servers/${job.server_id}` }, "Open")],
      ],
      actions: [
        job.temporal_url && button("Workflow", { symbol: "open", href: job.temporal_url, external: true, testid: "open-temporal", title: "This run in Temporal's web page" }),
        mayOperate() && !job.ended_at && job.parked.length > 0 && button("Roll back", { kind: "danger", symbol: "undo", testid: "rollback", on: { click: () => this.rollBack(job) } }),
      ],
    }));
    await this.run.update(job);
  }

  async rollBack(job) {
    const reason = field("Reason", { name: "reason", optional: true, hint: "Written to the audit log.", testid: "rollback-reason" });
    try {
      const yes = await ask({
        title: "Roll this job back?", symbol: "undo", tone: "bad", yes: "Roll back", testid: "rollback-dialog",
        body: [h("p", {}, "What it has done so far is undone. A part of an order takes the whole order back with it."), h("p", {}, "A rollback cannot be stopped."), reason.element],
        act: async () => { await sales.rollBackJob(job.id, reason.value.trim()); said("The job is being rolled back."); },
      });
      if (yes) this.again();
    } catch (error) { failed(error); }
  }
}
