// The public API's routes of certificates, of drills and of uploads.

import { get, post, query } from "./api.js";

const SSL = "/api/ssl";
const at = (id, what) => `${SSL}/drills/${encodeURIComponent(id)}/${what}`;

export const certificates = {
  list: (filters, signal) => get(`${SSL}/certificates${query(filters)}`, signal),
  nextIssuance: async (domain) => (await get(`${SSL}/certificate/${encodeURIComponent(domain)}`)).next_issuance,
  renew: (domain, freshKey) => post(`${SSL}/renew/${encodeURIComponent(domain)}${query({ freshKey: freshKey ? "true" : "" })}`),
};

export const uploads = {
  list: (signal) => get(`${SSL}/uploads${query({ limit: 100 })}`, signal),
  bring: async (values) => (await post(`${SSL}/upload`, values)).certificate,
  withdraw: async (id) => (await post(`${SSL}/uploads/${encodeURIComponent(id)}/withdraw`)).certificate,
};

export const drills = {
  list: (signal) => get(`${SSL}/drills${query({ limit: 1 })}`, signal),
  begin: async (values) => (await post(`${SSL}/drills`, values)).drill,
  act: async (id, what) => (await post(at(id, what))).drill, // what: pause, resume, stop
};
