// A preview: what a run would make and do, and what it would cost.

import { card } from "../components/basics.js";
import { h } from "../dom.js";
import { money } from "../format.js";

export function planCard(plan) {
  const fact = (label, value) => value && [h("dt", {}, label), h("dd", {}, value)];
  return card("Preview", {
    testid: "plan", sub: "Nothing is written or ordered by this",
    body: h("div", { class: "card-body plan" },
      h("p", { class: "price", testid: "plan-price" }, plan.new_server ? money(plan.price_cents_month, plan.currency) : "No new server", plan.new_server && h("small", {}, " a month")),
      h("dl", { class: "facts" }, fact("Address", plan.access_url), fact("Server", `${plan.vps_name} (${plan.new_server ? "new" : "has a free place"})`), fact("Product", plan.product), fact("Provider", plan.provider)),
      h("ol", { class: "plan-steps", testid: "plan-steps" }, (plan.steps ?? []).map((step) => h("li", {}, h("span", {}, step.title ?? step, step.message && h("span", { class: "sub" }, step.message)))))),
  });
}
