// Who is signed in. The access token lives in memory only; the rotating refresh token in this tab's sessionStorage.

import { call, useAuth } from "./api.js";

const STORE = "slipway.refresh";
const EARLY = 30; // seconds before its end at which the access token is renewed

const state = { access: null, expires: 0, user: null, renewing: null };
const listeners = new Set();
const channel = "BroadcastChannel" in window ? new BroadcastChannel("slipway.session") : null;

const stored = () => { try { return sessionStorage.getItem(STORE); } catch { return null; } };
function store(token) {
  try { token ? sessionStorage.setItem(STORE, token) : sessionStorage.removeItem(STORE); } catch { /* memory only */ }
}

export const user = () => state.user;
export const mayOperate = () => ["ADMINISTRATOR", "OPERATOR"].includes(state.user?.role);
export const mayAdminister = () => state.user?.role === "ADMINISTRATOR";
export const mayOrderServers = () => mayOperate() || state.user?.role === "USER";
export const mayChangeRecords = mayOrderServers;
export const mayReadAudit = () => ["ADMINISTRATOR", "SUPPORT"].includes(state.user?.role);
export const mayReadProducts = () => ["ADMINISTRATOR", "BILLING"].includes(state.user?.role);
export const maySettle = () => ["ADMINISTRATOR", "OPERATOR", "BILLING"].includes(state.user?.role);
export const maySeeStaffPages = () => state.user?.role !== "USER";
export const onChange = (listener) => listeners.add(listener);
const changed = (why) => listeners.forEach((listener) => listener(why));

function take(tokens) {
  state.access = tokens.access_token ?? tokens.accessToken;
  state.expires = Date.now() + (tokens.expires_in ?? 900) * 1000;
  if (tokens.user) state.user = tokens.user;
  store(tokens.refresh_token ?? tokens.refreshToken);
}

function forget() {
  Object.assign(state, { access: null, expires: 0, user: null });
  store(null);
}

// A duplicated tab starts with a copy of the refresh token. Spending it in one tab would look like theft to the
// server when the other spends it too, so tabs tell each other what a token was exchanged for.
channel?.addEventListener("message", ({ data }) => {
  if (data.spent && data.spent === stored()) take(data.tokens);
  if (data.signedOut && data.signedOut === stored()) { forget(); changed("signed-out"); }
});

const alone = (work) => (navigator.locks ? navigator.locks.request("slipway.refresh", work) : work());

async function renewNow() {
  const before = stored();
  return alone(async () => {
    const token = stored(); // another tab may have exchanged it while this one waited
    if (token !== before && state.access && Date.now() < state.expires) return state.access;
    if (!token) return null;
    try {
      const { data } = await call("POST", "/api/auth/refresh", { body: { refresh_token: token }, anonymous: true });
      take(data);
      channel?.postMessage({ spent: token, tokens: { ...data, user: state.user } });
      return state.access;
    } catch (error) {
      if (error.status === 0 || error.status === 429 || error.status >= 500) throw error; // the session may still be good
      forget();
      return null;
    }
  });
}

function renew() {
  state.renewing ??= renewNow().finally(() => { state.renewing = null; });
  return state.renewing;
}

useAuth(
  async () => {
    if (state.access && Date.now() < state.expires - EARLY * 1000) return state.access;
    if (!stored()) return state.access;
    return renew();
  },
  async (refused) => {
    if (state.access && state.access !== refused) return state.access;
    const token = await renew();
    if (!token) { forget(); changed("expired"); }
    return token;
  },
);

export async function restore() {
  if (!stored()) return null;
  if (!(await renew())) return null;
  if (!state.user) state.user = await me();
  return state.user;
}

async function me() {
  const { data } = await call("GET", "/api/auth/me");
  return data.user ?? data;
}

export async function signIn(name, password) {
  const who = name.includes("@") ? { email: name } : { username: name };
  const { data } = await call("POST", "/api/auth/login", { body: { ...who, password }, anonymous: true });
  take(data);
  state.user ??= await me();
  changed("signed-in");
  return state.user;
}

export async function changePassword(current, next) {
  const { data } = await call("POST", "/api/auth/password", { body: { current_password: current, new_password: next } });
  if (data?.access_token) take(data);
  state.user = data?.user ?? { ...state.user, must_change_password: false };
  changed("password");
}

export async function signOut() {
  const token = stored();
  try {
    await call("POST", "/api/auth/logout", { body: { refresh_token: token } });
  } finally {
    forget(); // also where no answer comes: nothing that could be used is kept here
    channel?.postMessage({ signedOut: token });
    changed("signed-out");
  }
}
