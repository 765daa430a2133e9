-- geo: what users asked for, one table a resource. Made empty here and left alone: workers make its tables, own them, and
-- grant each to whoever asked for it.
CREATE SCHEMA IF NOT EXISTS geo AUTHORIZATION geomill_owner;
COMMENT ON SCHEMA geo IS 'Published vector data: business data, never part of a deploy';
GRANT USAGE, CREATE ON SCHEMA geo TO geomill_worker;
GRANT USAGE ON SCHEMA geo TO geomill_client, geomill_reader, geomill_admin;
