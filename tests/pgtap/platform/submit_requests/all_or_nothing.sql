BEGIN;
SELECT plan(7);
SELECT tests.given_client() \gset
SELECT tests.refusal('hub', $$SELECT platform.submit_requests('[{"dataset_id": "d", "resource_id": "r", "version_id": "1", "source_path": "/data/hub/a.gpkg"},
    {"dataset_id": "d", "resource_id": 2, "version_id": "2", "source_path": "/etc/a.gpkg", "sourcepath": "x", "processing_config": {"x": 1}}, 7]')$$) AS refusal \gset
SELECT is((SELECT array_agg(concat_ws(' ', p ->> 'field', p ->> 'code') ORDER BY p ->> 'field' COLLATE "C") FROM jsonb_array_elements((:'refusal'::jsonb) -> 'problems') AS p),
          '{requests[1].processing_config.x UNKNOWN_KEY,requests[1].resource_id WRONG_TYPE,requests[1].source_path SOURCE_OUTSIDE_ROOTS,requests[1].sourcepath UNKNOWN_KEY,requests[2] WRONG_TYPE}',
          'every problem is named below its element');
SELECT is((SELECT count(*) FROM platform.requests), 0::bigint, 'and nothing was made');
SELECT is(tests.refused('hub', $$SELECT platform.submit_requests('{}')$$), '{requests WRONG_TYPE}', 'what is no array is refused');
CREATE TEMPORARY TABLE answers AS
SELECT row_number() OVER () AS place, a AS answer FROM tests.ask('hub', $$SELECT * FROM platform.submit_requests('[{"dataset_id": "z", "resource_id": "r", "version_id": "1", "source_path": "/data/hub/z.gpkg"},
    {"dataset_id": "a", "resource_id": "r", "version_id": "1", "source_path": "/data/hub/a.gpkg"}, {"dataset_id": "z", "resource_id": "r", "version_id": "1", "source_path": "/data/hub/z.gpkg"}]')$$) AS a;
SELECT is((SELECT array_agg(a.answer ->> 'request_id' ORDER BY a.place) FROM answers AS a),
          ARRAY[platform.request_id('hub', 'z', 'r', '1'), platform.request_id('hub', 'a', 'r', '1'), platform.request_id('hub', 'z', 'r', '1')], 'answers come in the order of the elements');
SELECT is((SELECT array_agg(a.answer ->> 'created' ORDER BY a.place) FROM answers AS a), '{true,true,false}', 'the same element twice is one request');
SELECT is((SELECT count(*) FROM app.jobs), 2::bigint, 'each with its job');
SELECT is(tests.refused('hub', $$SELECT platform.submit_requests('[{"dataset_id": "n", "resource_id": "r", "version_id": "1", "source_path": "/data/hub/n.gpkg"},
    {"dataset_id": "z", "resource_id": "r", "version_id": "1", "source_path": "/data/hub/other.gpkg"}]')$$), '{version_id REQUEST_EXISTS}', 'a conflict refuses all');
SELECT * FROM finish();
ROLLBACK;
