BEGIN;
SELECT plan(22);
SET LOCAL client_min_messages = warning;
SELECT tests.given_client() \gset
SELECT tests.given_client('other') \gset
SET LOCAL search_path = pgstac, public;
SELECT create_collection(jsonb_build_object('id', c.id, 'type', 'Collection', 'stac_version', '1.1.0', 'description', 'of the tests', 'license', 'other', 'links', jsonb_build_array(),
       'extent', '{"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[null, null]]}}'::jsonb)) FROM unnest(ARRAY['hub_maps', 'hubby_x']) AS c (id);
SELECT create_item(jsonb_build_object('id', i.id, 'collection', i.collection, 'type', 'Feature', 'stac_version', '1.1.0', 'links', jsonb_build_array(), 'assets', '{}'::jsonb,
       'bbox', '[0, 0, 1, 1]'::jsonb, 'geometry', '{"type": "Point", "coordinates": [0.5, 0.5]}'::jsonb, 'properties', jsonb_build_object('datetime', '2024-01-01T00:00:00Z', 'rank', i.rank)))
  FROM (VALUES ('one', 'hub_vectors', 1), ('two', 'hub_maps', 2), ('three', 'hubby_x', 3), ('secret', 'other_vectors', 4), ('one', 'other_vectors', 5)) AS i (id, collection, rank);
SET LOCAL search_path = public;
CREATE FUNCTION pg_temp.found(login text, search text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(f ->> 'id', ' ' ORDER BY f ->> 'id' COLLATE "C"), '') FROM tests.ask(login, format('SELECT platform.stac_search(%L) AS s', search)) AS a, jsonb_array_elements(a #> '{s,features}') AS f $$;
SELECT is(pg_temp.found('hub', '{}'), 'one two', 'all that is its own');
SELECT is(pg_temp.found('other', '{}'), 'one secret', 'and so for another');
SELECT is(pg_temp.found('hub', '{"collections": ["hub_maps"]}'), 'two', 'one of its collections');
SELECT is(pg_temp.found('hub', '{"collections": ["other_vectors"]}'), '', 'another''s collection is empty');
SELECT is(pg_temp.found('hub', '{"collections": ["other_vectors", "hub_vectors"]}'), 'one', 'in company too');
SELECT is(pg_temp.found('hub', '{"collections": ["hubby_x"]}'), '', 'a prefix ends where it ends');
SELECT is(pg_temp.found('hub', '{"collections": []}'), '', 'none is none');
SELECT is(pg_temp.found('hub', '{"ids": ["secret", "one"]}'), 'one', 'ids');
SELECT is(pg_temp.found('hub', '{"filter-lang": "cql2-json", "filter": {"op": "or", "args": [{"op": "=", "args": [{"property": "collection"}, "other_vectors"]}, {"op": "=", "args": [1, 1]}]}}'), 'one two', 'a filter that is true of everything');
SELECT is(pg_temp.found('hub', '{"filter-lang": "cql2-json", "filter": {"op": "=", "args": [{"property": "collection"}, "other_vectors"]}}'), '', 'a filter on the collection');
SELECT is(pg_temp.found('hub', '{"bbox": [-1, -1, 2, 2], "datetime": "2023-01-01T00:00:00Z/..", "sortby": [{"field": "id", "direction": "desc"}], "limit": 10}'), 'one two', 'what a search usually says');
SELECT is(pg_temp.found('hub', '{"query": {"rank": {"gte": 2}}}'), 'two', 'a query');
SELECT is(tests.refused('hub', $$SELECT platform.stac_search('{"conf": {"nohydrate": true}, "collection": "other_vectors"}')$$), '{search.collection UNKNOWN_KEY,search.conf UNKNOWN_KEY}', 'conf and unknown keys are refused');
SELECT is(tests.refused('hub', $$SELECT platform.stac_search('{"collections": [5], "ids": "x", "limit": -1, "token": 7}')$$), '{search.collections WRONG_TYPE,search.ids WRONG_TYPE,search.limit OUT_OF_RANGE,search.token WRONG_TYPE}', 'so are wrong values');
SELECT is(tests.refused('hub', $$SELECT platform.stac_search('{"bbox": "here"}')$$), '{search SEARCH_REFUSED}', 'and what pgstac does not take');
SELECT is(tests.refused('hub', $$SELECT platform.stac_search(NULL)$$), '{search WRONG_TYPE}', 'and no search at all');
SELECT tests.ask('hub', $$SELECT platform.stac_search('{"limit": 1, "sortby": [{"field": "id", "direction": "asc"}]}') AS s$$) -> 's' AS page \gset
SELECT is((:'page'::jsonb) #>> '{features,0,id}', 'one', 'a first page');
SELECT l ->> 'href' AS href FROM jsonb_array_elements((:'page'::jsonb) -> 'links') AS l WHERE l ->> 'rel' = 'next' \gset
SELECT is(pg_temp.found('hub', jsonb_build_object('limit', 1, 'sortby', '[{"field": "id", "direction": "asc"}]'::jsonb, 'token', substring(:'href' FROM 'token=(.*)$'))::text), 'two', 'and the next');
SELECT tests.refusal('hub', format('SELECT platform.stac_search(%L)', jsonb_build_object('token', 'next:' || pgstac.page_token('other_vectors', 'secret')))) AS others \gset
SELECT tests.refusal('hub', format('SELECT platform.stac_search(%L)', jsonb_build_object('token', 'next:' || pgstac.page_token('hub_vectors', 'nothing')))) AS missing \gset
SELECT is((:'others'::jsonb) ->> 'sqlstate', 'GM422', 'a token into another''s collection is refused');
SELECT is(regexp_replace(:'others', 'next:[0-9a-f:]+', '', 'g'), regexp_replace(:'missing', 'next:[0-9a-f:]+', '', 'g'), 'as one that leads nowhere');
SELECT is((SELECT count(*) FROM pgstac.searches), 0::bigint, 'no search is written down');
SELECT is(current_setting('pgstac.readonly', true), '', 'and the session is as it was');
SELECT * FROM finish();
ROLLBACK;
