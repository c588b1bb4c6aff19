"""Stripe as far as we meet it: a ledger of payments and subscriptions, API v1 before it, signed webhooks behind it."""
