// The vocabulary of states: each has a word, a tone and an icon, so that colour is never the only sign.

export const entry = (label, tone, icon, live = false, short = label) => ({ label, tone, icon, live, short }); // short: in a graph node

export const STEP = {
  pending: entry("Waiting", "idle", "dot"),
  running: entry("Running", "run", "spin", true),
  started: entry("Running", "run", "spin", true),
  retried: entry("Running again", "run", "spin", true),
  done: entry("Done", "ok", "check"),
  parked: entry("Needs a decision", "warn", "hand", false, "Decide"),
  escalated: entry("Decision overdue", "bad", "alert", false, "Overdue"),
  undoing: entry("Undoing", "run", "undo", true),
  undone: entry("Undone", "idle", "undo"),
  undo_parked: entry("Undo needs a decision", "warn", "hand", false, "Decide"),
  ended: entry("Ended", "idle", "stop"),
  skipped: entry("Not needed", "idle", "dot"),
};
export const stepState = (name) => STEP[name] ?? STEP.pending;
export const isRunning = (name) => stepState(name).live;
export const isParked = (name) => name === "parked" || name === "escalated" || name === "undo_parked";

export const STATUS = {
  provisioning: entry("Provisioning", "run", "spin", true),
  vps_ready: entry("Server ready", "run", "spin", true),
  deploying: entry("Deploying", "run", "spin", true),
  active: entry("Active", "ok", "check"),
  failed: entry("Failed", "bad", "cross"),
};
export const PHASE = {
  rolling_back: entry("Rolling back", "warn", "undo"),
  rolled_back: entry("Rolled back", "idle", "undo"),
  cancelled: entry("Cancelled", "idle", "stop"),
  terminating: entry("Terminating", "warn", "trash"),
  terminated: entry("Terminated", "idle", "stop"),
};
export const ATTENTION = {
  awaiting_operator: entry("Needs a decision", "warn", "hand"),
  escalated: entry("Decision overdue", "bad", "alert"),
};

// A run that makes a server and puts nothing on it.
export const isBare = ({ deployment_type: type }) => type === "server";
export const modelName = (type) => ({ shared: "Shared", dedicated: "Dedicated", server: "Bare server" })[type] ?? type;

// A termination is a run of its own after the provisioning, with a graph of its own. A rollback proves the absence of
// what it took back as a termination does; that one step has a time and lines, but no place in the graph.
export function runOf({ steps = [], phase }) {
  const ending = steps.filter((step) => step.family === "termination");
  const making = steps.filter((step) => step.family !== "termination");
  if (phase === "terminating" || phase === "terminated") return { graph: ending, timed: ending, earlier: making };
  return { graph: making, timed: [...making, ...ending.filter((step) => step.started_at)], earlier: [] };
}

// What an instance shows: who has to act comes first, then where a run is beyond its status, then the status.
export function instanceState(instance) {
  const attention = typeof instance.attention === "string" ? instance.attention : "none";
  return ATTENTION[attention] ?? PHASE[instance.phase] ?? STATUS[instance.status] ?? entry(instance.status, "idle", "dot");
}

export const ENDED = new Set(["rolled_back", "cancelled", "terminated"]);

export const VPS = {
  pending: entry("Ordered", "idle", "clock"),
  provisioning: entry("Being made", "run", "spin", true),
  active: entry("Active", "ok", "check"),
  terminating: entry("Being cancelled", "warn", "trash"),
  terminated: entry("Gone", "idle", "stop"),
  failed: entry("Failed", "bad", "cross"),
};

// A server's one status, out of its life and its power.
export const SERVER = {
  pending: entry("Ordered", "idle", "clock"),
  provisioning: entry("Being made", "run", "spin", true),
  running: entry("Running", "ok", "check"),
  stopped: entry("Stopped", "idle", "stop"),
  active: entry("Active", "ok", "check"),
  terminating: entry("Being deleted", "warn", "trash"),
  terminated: entry("Deleted", "idle", "stop"),
  failed: entry("Failed", "bad", "cross"),
};
export const serverState = ({ status, attention }) => ATTENTION[attention] ?? SERVER[status] ?? entry(status, "idle", "dot");
export const ACTION = {
  requested: entry("Waiting", "run", "clock"),
  sent: entry("Under way", "run", "spin", true),
  done: entry("Done", "ok", "check"),
  failed: entry("Failed", "bad", "cross"),
};
export const actionState = (name) => ACTION[name] ?? entry(name, "idle", "dot");

export const RESOURCE = {
  explained: entry("Explained", "ok", "check"),
  unexplained: entry("Unexplained", "warn", "alert"),
  quarantined: entry("Powered off", "warn", "stop"),
  adopted: entry("Left alone", "idle", "hand"),
  released: entry("To be deleted", "bad", "trash"),
  missing: entry("Missing at the cloud", "bad", "alert"),
};
export const SWEEP = {
  running: entry("Under way", "run", "spin", true),
  complete: entry("Complete", "ok", "check"),
  held: entry("Nothing was touched", "warn", "hand"),
  refused: entry("Refused to judge", "bad", "alert"),
  abandoned: entry("Broken off", "warn", "alert"),
};
export const resourceState = (name) => RESOURCE[name] ?? entry(name, "idle", "dot");
export const sweepState = (name) => SWEEP[name] ?? entry(name, "idle", "dot");
export const ROLES = [["ADMINISTRATOR", "Administrator"], ["OPERATOR", "Operator"], ["BILLING", "Billing"], ["SUPPORT", "Support"], ["USER", "User"]];
export const roleName = (role) => ROLES.find(([key]) => key === role)?.[1] ?? role;

export const OUTCOME = {
  ok: entry("Done", "ok", "check"),
  refused: entry("Refused", "warn", "hand"),
  unavailable: entry("Could not be done", "bad", "cross"),
};
export const outcomeState = (name) => OUTCOME[name] ?? entry(name, "idle", "dot");
export const productState = (active) => (active ? entry("Offered", "ok", "check") : entry("Retired", "idle", "stop"));
export const accountState = (active) => (active ? entry("Active", "ok", "check") : entry("Disabled", "idle", "stop"));
