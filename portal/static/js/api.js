// The public API over fetch: one place for tokens, errors, request ids and the server's clock.

import { capital, syncClock } from "./format.js";

export class ApiError extends Error {
  constructor(status, body, requestId, retryAfter) {
    super(body?.error || body?.message || body?.detail || `The server answered ${status}`);
    this.status = status;
    this.code = body?.code ?? "UNKNOWN_ERROR";
    this.fields = fieldErrors(body);
    this.requestId = body?.request_id ?? requestId;
    this.retryAfter = retryAfter;
  }
}

// No answer came: whether the server did what was asked is unknown.
export class NoAnswer extends Error {
  constructor(requestId) {
    super("No answer came from the server. Check the connection and try again.");
    this.status = 0;
    this.code = "NO_ANSWER";
    this.fields = {};
    this.requestId = requestId;
  }
}

const camel = (name) => String(name).replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

function fieldErrors(body) {
  const found = {};
  const details = body?.details;
  // "changes.migration_command.0" concerns the input migration_command: every part of a path finds the sentence.
  const put = (field, text) => {
    if (!field || !text) return;
    const plain = capital(String(text).startsWith(`${field}: `) ? String(text).slice(field.length + 2) : String(text));
    for (const part of String(field).split(".")) found[camel(part)] ??= plain;
  };
  if (Array.isArray(details)) {
    for (const one of details) put(one.field ?? one.loc?.at?.(-1), one.message ?? one.msg ?? one.error);
  } else if (details && typeof details === "object") {
    const map = details.fields ?? details.errors ?? details;
    if (Array.isArray(map)) for (const one of map) put(one.field, one.message ?? one.error);
    else for (const [field, text] of Object.entries(map)) if (typeof text === "string") put(field, text);
  }
  if (body?.field) put(body.field, body.error ?? body.message);
  return found;
}

export function uuid() {
  // randomUUID exists in secure contexts only; a portal on a plain LAN address is not one.
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const auth = { token: async () => null, refused: async () => null };
export const useAuth = (token, refused) => Object.assign(auth, { token, refused });

export async function send(method, path, { body, headers = {}, signal, anonymous = false } = {}) {
  const requestId = uuid();
  const attempt = async (token) => {
    try {
      return await fetch(path, {
        method, signal, cache: "no-store", credentials: "same-origin",
        headers: {
          Accept: "application/json", "X-Request-ID": requestId,
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...(token ? { Authorization: `Bearer ${token}` } : {}), ...headers,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new NoAnswer(requestId);
    }
  };
  let token = anonymous ? null : await auth.token();
  let response = await attempt(token);
  if (response.status === 401 && !anonymous) {
    token = await auth.refused(token);
    if (token) response = await attempt(token);
  }
  return { response, requestId };
}

export async function call(method, path, options = {}) {
  const { response, requestId } = await send(method, path, options);
  const id = response.headers.get("X-Request-ID") ?? requestId;
  if (response.status === 304) return { notModified: true };
  let data = null;
  try {
    data = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (response.ok && response.status !== 204) throw new NoAnswer(id); // the answer broke off
  }
  if (data?.timestamp) syncClock(data.timestamp);
  if (!response.ok) throw new ApiError(response.status, data, id, Number(response.headers.get("Retry-After")) || null);
  return { data, etag: response.headers.get("ETag") };
}

export const query = (values) => {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== "" && value !== null && value !== undefined) params.set(name, value);
  const text = params.toString();
  return text ? `?${text}` : "";
};

export const get = async (path, signal) => (await call("GET", path, { signal })).data;
export const post = async (path, body = {}, headers = {}) => (await call("POST", path, { body, headers })).data;
const instance = (id) => `/api/portal/instances/${encodeURIComponent(id)}`;
const vps = (id) => `/api/vps/${encodeURIComponent(id)}`;
const user = (id) => `/api/users/${encodeURIComponent(id)}`;
const product = (id) => `/api/products/${encodeURIComponent(id)}`;
const provider = (id) => `/api/admin/providers/${encodeURIComponent(id)}`;

export const api = {
  options: (signal) => get("/api/portal/options", signal),
  instances: (filters, signal) => get(`/api/portal/instances${query(filters)}`, signal),
  attention: (signal) => get("/api/operator/attention", signal),
  servers: async (filters, signal) => (await get(`/api/portal/vps${query(filters)}`, signal)).vps ?? [],
  vpsList: (filters, signal) => get(`/api/vps${query(filters)}`, signal),
  vps: (id, signal) => get(vps(id), signal),
  orderVps: (order, key) => post("/api/vps", order, { "Idempotency-Key": key }),
  actOnVps: (id, action) => post(`${vps(id)}/action`, { action }),
  deleteVps: async (id) => (await call("DELETE", vps(id))).data,
  offers: (cloud, list, filters, signal) => get(`/api/vps/${cloud}/${list}${query(filters)}`, signal),
  inventory: (signal) => get("/api/admin/inventory", signal),
  sweep: (vouch) => post("/api/admin/inventory/sweep", { vouch }),
  decideResource: (id, verb, note) => post(`/api/admin/inventory/${encodeURIComponent(id)}/${verb}`, { note }),
  providers: async (signal) => (await get("/api/admin/providers", signal)).providers,
  createProvider: (account, key) => post("/api/admin/providers", account, { "Idempotency-Key": key }),
  changeProvider: async (id, changes) => (await call("PUT", provider(id), { body: changes })).data,
  removeProvider: async (id) => (await call("DELETE", provider(id))).data,
  validateProvider: (id) => post(`${provider(id)}/validate`),
  users: (filters, signal) => get(`/api/users${query(filters)}`, signal),
  userStats: (signal) => get("/api/users/stats", signal),
  createUser: (values) => post("/api/users", values),
  changeUser: async (id, values) => (await call("PUT", user(id), { body: values })).data,
  switchUser: async (id, status) => (await call("PATCH", `${user(id)}/status`, { body: { status } })).data,
  removeUser: async (id) => (await call("DELETE", user(id))).data,
  bulkUsers: async (values) => (await post("/api/users/bulk", values)).results,
  audit: (filters, signal) => get(`/api/audit${query(filters)}`, signal),
  products: (filters, signal) => get(`/api/products${query(filters)}`, signal),
  createProduct: (values) => post("/api/products", values),
  changeProduct: async (id, values) => (await call("PATCH", product(id), { body: values })).data,
  retireProduct: async (id) => (await call("DELETE", product(id))).data,
  organizations: async (id, signal) => (await get(`/api/portal/vps/${encodeURIComponent(id)}/organizations`, signal)).organizations ?? [],
  plan: async (order) => (await post("/api/portal/instances?dry_run=true", { ...order, dryRun: true })).plan,
  create: (order, key) => post("/api/portal/instances", order, { "Idempotency-Key": key }),
  status: (id, etag, signal) => call("GET", `${instance(id)}/status`, { signal, headers: etag ? { "If-None-Match": etag } : {} }),
  logs: (id, after, limit, signal) => get(`${instance(id)}/logs${query({ after, limit })}`, signal),
  events: (id, after, signal) => send("GET", `${instance(id)}/events`, {
    signal, headers: { Accept: "text/event-stream", ...(after ? { "Last-Event-ID": String(after) } : {}) },
  }),
  retry: (id, step, changes) => post(`${instance(id)}/retry`, { step, changes }),
  rollBack: (id, reason) => post(`${instance(id)}/rollback`, { reason }),
  cancel: (id) => post(`${instance(id)}/cancel`),
  terminate: async (id, immediately) => (await call("DELETE", instance(id), { body: { immediately } })).data,
  credentials: async (id) => (await get(`${instance(id)}/credentials`)).credentials,
};
