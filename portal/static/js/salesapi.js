// The public API's routes of sales, of their delivery, and of the servers they are delivered from.

import { call, get, post, query } from "./api.js";

const at = (place, id, ...more) => [`/api/${place}`, encodeURIComponent(id), ...more].join("/");
const once = (key) => ({ "Idempotency-Key": key });
const patch = async (path, body) => (await call("PATCH", path, { body })).data;
const remove = async (path) => (await call("DELETE", path)).data;

export const sales = {
  orders: (filters, signal) => get(`/api/orders${query(filters)}`, signal),
  order: (id, signal) => get(at("orders", id), signal),
  subscriptions: (filters, signal) => get(`/api/subscriptions${query(filters)}`, signal),
  subscription: (id, signal) => get(at("subscriptions", id), signal),
  changeSubscription: (id, verb, values) => post(at("subscriptions", id, verb), values),
  mailboxPassword: (id, password) => post(at("mailboxes", id, "password"), { password }),
  sftpPassword: (id, password) => post(at("hosting/accounts", id, "password"), { password }),
  sftpKeys: (id, keys) => post(at("hosting/accounts", id, "sftp-keys"), { keys }),
  onSale: async (signal) => (await get("/api/public/products", signal)).products,
  jobs: (filters, signal) => get(`/api/jobs${query(filters)}`, signal),
  job: async (id, signal) => (await get(at("jobs", id), signal)).job,
  jobEvents: (id, after, limit, signal) => get(`${at("jobs", id, "events")}${query({ after, limit })}`, signal),
  retryJob: (id, step, changes = {}) => post(at("jobs", id, "retry"), { step, changes }),
  rollBackJob: (id, reason) => post(at("jobs", id, "rollback"), { reason }),
  settleCase: (id, note) => post(at("operator/payment-cases", id, "settle"), { note }),
  houseServers: (filters, signal) => get(`/api/hosting/servers${query(filters)}`, signal),
  houseServer: async (id, signal) => (await get(at("hosting/servers", id), signal)).server,
  registerServer: async (values, key) => (await post("/api/hosting/servers", values, once(key))).server,
  changeServer: (id, values) => patch(at("hosting/servers", id), values),
  removeServer: (id) => remove(at("hosting/servers", id)),
  setUpServer: (id) => post(at("hosting/servers", id, "set-up")),
  endSetUp: (id) => remove(at("hosting/servers", id, "set-up")),
  tenants: (filters, signal) => get(`/api/tenants${query(filters)}`, signal),
  createTenant: (values) => post("/api/tenants", values),
  changeTenant: (id, values) => patch(at("tenants", id), values),
  apiKeys: (filters, signal) => get(`/api/admin/api-keys${query(filters)}`, signal),
  createApiKey: (values) => post("/api/admin/api-keys", values),
  revokeApiKey: (id) => remove(at("admin/api-keys", id)),
};
