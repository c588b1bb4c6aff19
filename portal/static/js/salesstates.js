// The vocabulary of sales and their delivery, in the shape of states.js.

import { ATTENTION, entry } from "./states.js";

const of = (table) => (name) => table[name] ?? entry(name, "idle", "dot");
export const choices = (table) => Object.entries(table).map(([name, { label }]) => [name, label]);

export const ORDER = {
  PAID: entry("Paid, being delivered", "run", "spin", true),
  FULFILLED: entry("Delivered", "ok", "check"),
  REFUNDING: entry("Being paid back", "warn", "undo"),
  REFUNDED: entry("Paid back", "idle", "undo"),
  CANCELLED: entry("Taken back", "idle", "stop"),
};
export const SUBSCRIPTION = {
  INACTIVE: entry("Not delivered yet", "idle", "clock"),
  ACTIVE: entry("Active", "ok", "check"),
  PAST_DUE: entry("Payment is missing", "warn", "alert"),
  SUSPENDED: entry("Suspended", "bad", "stop"),
  TERMINATED: entry("Ended", "idle", "stop"),
};
export const JOB = {
  PENDING: entry("Waits for its start", "idle", "clock"),
  RUNNING: entry("Running", "run", "spin", true),
  WAITING: entry("Needs a decision", "warn", "hand"),
  SUCCESS: entry("Done", "ok", "check"),
  FAILED: entry("Taken back", "bad", "undo"),
  CANCELLED: entry("Cancelled", "idle", "stop"),
};
export const HOUSE_SERVER = {
  PENDING: entry("Being set up", "run", "clock"),
  ACTIVE: entry("Active", "ok", "check"),
  DRAINING: entry("Takes nothing new", "warn", "hand"),
  REMOVED: entry("Removed", "idle", "stop"),
};
export const SERVICE = {
  PENDING: entry("Being made", "run", "clock"),
  RESERVED: entry("Reserved", "run", "clock"),
  ACTIVE: entry("Active", "ok", "check"),
  SUSPENDED: entry("Suspended", "bad", "stop"),
  REMOVED: entry("Removed", "idle", "stop"),
};
const BACKUP = {
  PENDING: entry("Being made", "run", "clock"),
  SUCCESS: entry("Kept", "ok", "check"),
  FAILED: entry("Failed", "bad", "cross"),
  EXPIRED: entry("Deleted", "idle", "trash"),
};
const REFUND = {
  PENDING: entry("On its way", "run", "clock"),
  SUCCEEDED: entry("Paid back", "ok", "check"),
  FAILED: entry("Failed", "bad", "cross"),
};
const EVENT = {
  done: entry("Done", "ok", "check"),
  ignored: entry("Nothing to do", "idle", "dot"),
  case: entry("Needs somebody", "warn", "hand"),
};
const KEY = {
  active: entry("Active", "ok", "check"),
  expired: entry("Expired", "idle", "clock"),
  revoked: entry("Revoked", "idle", "stop"),
};
export const orderState = of(ORDER);
export const subscriptionState = of(SUBSCRIPTION);
export const houseServerState = of(HOUSE_SERVER);
export const serviceState = of(SERVICE);
export const backupState = of(BACKUP);
export const refundState = of(REFUND);
export const eventState = ({ outcome, settled_at: settled }) => (outcome === "case" && settled ? entry("Settled", "ok", "check") : of(EVENT)(outcome));
export const keyState = of(KEY);
export const tenantState = (active) => (active ? entry("Sells", "ok", "check") : entry("Takes no orders", "idle", "stop"));
export const jobState = ({ status, attention }) => ATTENTION[attention] ?? of(JOB)(status);

export const JOB_TYPES = {
  FULFIL_ORDER: "Delivery of an order",
  PROVISION_DNS: "DNS",
  PROVISION_HOSTING: "Hosting",
  PROVISION_MAIL: "Mail",
  SUSPEND: "Suspension",
  RESUME: "Resumption",
  CHANGE_LIMITS: "Change of price",
  TERMINATE: "End",
  REFUND: "Refund",
  CANCEL: "Cancellation at the period's end",
  KEEP: "Withdrawn cancellation",
  DISCARD_BACKUPS: "Deletion of old backups",
  MAILBOX_PASSWORD: "Mailbox password",
  SFTP_KEYS: "Keys for file access",
  SFTP_PASSWORD: "Password for file access",
  SET_UP_SERVER: "Set-up of a server",
};
export const jobName = (type) => JOB_TYPES[type] ?? type;

// What comes by itself if nobody does anything.
export const NEXT = { renew: "Renews", suspend: "Is suspended", terminate: "Ends" };
export const SERVER_TYPES = [["web", "Web"], ["mail", "Mail"], ["dns", "DNS"]];
