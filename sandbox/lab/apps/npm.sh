#!/bin/sh
# The one command the product's runbook calls: `npm run migrate` (and migrate:status, and start).
case "$*" in
  "run migrate") exec python3 /app/schema.py ;;
  "run migrate:status" | "run --silent migrate:status" | "run -s migrate:status") exec python3 /app/schema.py status ;;
  "start" | "run start") exec python3 /app/backend.py ;;
  "--version" | "-v") echo "10.0.0" ;;
  *) echo "npm error Missing script: \"$2\"" >&2; exit 1 ;;
esac
