-- The extensions that geomill needs in its database. sha256() is PostgreSQL's own. pg_cron lives in one database of the
-- cluster, which need not be this one (cron.sql); pgTAP and plpgsql_check belong to test databases.
CREATE EXTENSION IF NOT EXISTS postgis SCHEMA public;
-- pgstac's:
CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public;
CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA public;
