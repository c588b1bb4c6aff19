#!/bin/sh
# Run before each start of Temporal: bring its two databases to the schema of this version. Does nothing when they have it.
set -eu
for database in temporal temporal_visibility; do
  schema="${database#temporal_}"
  tool="temporal-sql-tool --plugin postgres12 --ep postgres -p 5432 -u temporal --db $database"
  $tool setup-schema -v 0.0
  $tool update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
