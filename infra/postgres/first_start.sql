-- Run once, in template1, by the superuser: what Emily's own role may not do, and every database shall have.
\getenv owner POSTGRES_USER
\getenv database POSTGRES_DB
\getenv password POSTGRES_PASSWORD

CREATE EXTENSION vector WITH SCHEMA public;

-- Behind row security an index serves only operators that are known to leak nothing. These two raise no errors
-- that tell of their operands; memory's migration asks for the same, and needs a superuser for it.
ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF;
ALTER FUNCTION pg_catalog.jsonb_contains(jsonb, jsonb) LEAKPROOF;

-- CREATEROLE: memory makes the role that its readers become.
CREATE ROLE :"owner" LOGIN CREATEROLE PASSWORD :'password';
-- A migration that waits for a request, and it for the migration, gives way at once.
GRANT SET ON PARAMETER deadlock_timeout TO :"owner";
CREATE DATABASE :"database" OWNER :"owner";
REVOKE CONNECT ON DATABASE :"database" FROM PUBLIC;
