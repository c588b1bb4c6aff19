// The public API's routes of zones at our name servers.

import { call, get, post, query } from "./api.js";

const ZONES = "/api/dns/zones";
const at = (id, ...more) => [ZONES, encodeURIComponent(id), ...more].join("/");
const remove = async (path) => (await call("DELETE", path)).data;

export const zones = {
  list: (filters, signal) => get(`${ZONES}${query(filters)}`, signal),
  one: async (id, signal) => (await get(at(id), signal)).zone,
  create: (values) => post(ZONES, values),
  publish: (id) => post(at(id, "publish")),
  remove: (id, name) => remove(`${at(id)}${query({ confirm: name })}`),
  retryChange: (id, change) => post(at(id, "changes", change, "retry")),
  settleChange: (id, change, note) => post(at(id, "changes", change, "settle"), { note }),
  records: (id, filters, signal) => get(`${at(id, "records")}${query(filters)}`, signal),
  putRecords: async (id, values) => (await call("PUT", at(id, "records"), { body: values })).data,
  removeRecords: (id, name, type) => remove(`${at(id, "records")}${query({ name, type })}`),
};
