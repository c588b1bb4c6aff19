#!/bin/sh
# Run once by the PostgreSQL image on an empty data folder: one role and one database each for Slipway and Temporal,
# neither of which can see the other's. Passwords are read from the environment by psql, so they are in no argv.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv slipway_role DATABASE_USER
\getenv slipway_database DATABASE_NAME
\getenv slipway_password DATABASE_PASSWORD
\getenv temporal_password TEMPORAL_DATABASE_PASSWORD
create role :"slipway_role" login password :'slipway_password';
create role temporal login password :'temporal_password';
create database :"slipway_database" owner :"slipway_role";
create database temporal owner temporal;
create database temporal_visibility owner temporal;
revoke connect on database :"slipway_database", temporal, temporal_visibility from public;
SQL
