// An order is sent once: again unchanged after no clear answer, it carries the same key, and the server takes it for
// the same order.

import { uuid } from "./api.js";
import { notice } from "./components/basics.js";
import { h } from "./dom.js";

const unanswered = new Map(); // what is ordered -> the order as text, and its key

export const isLost = (error) => error.status === 0 || error.status >= 500;

export async function orderOnce(what, order, send) {
  const text = JSON.stringify(order);
  if (unanswered.get(what)?.text !== text) unanswered.set(what, { text, key: uuid() });
  try {
    const reply = await send(order, unanswered.get(what).key);
    unanswered.delete(what);
    return reply;
  } catch (error) {
    if (!isLost(error) && error.status !== 429) unanswered.delete(what);
    throw error;
  }
}

export const lostNotice = (error) => notice("warn", "alert", h("b", {}, "No clear answer came. "),
  "Order again without changing anything: it carries the same key, so it cannot be ordered twice.",
  error.requestId && h("p", { class: "small mono" }, `Request ${error.requestId}`));
