BEGIN;
SELECT plan(9);
SELECT tests.given_workflow('sheets', '[{"fan_out": "count", "path": "$.n", "task_parameters": ["of"]}]');
CREATE TEMP TABLE claims (n serial, claimed text);
-- So many claims, one a second.
CREATE FUNCTION tests.claims(claims integer, batch integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1..claims LOOP
        PERFORM tests.move_clock(interval '1 second');
        INSERT INTO claims (claimed) SELECT DISTINCT parameters ->> 'of' FROM app.claim_tasks('w1', NULL, batch);
    END LOOP;
END;
$$;
SELECT tests.given_job('sheets', '{"n": 20000, "of": "large"}');
SELECT tests.claims(40, 10);
SELECT is((SELECT count(*) FROM claims WHERE claimed = 'large'), 40::bigint, 'alone it is served as it likes');
SELECT is((SELECT rank FROM app.ready_stages), (SELECT (extract(epoch FROM created_at) * 1000000)::bigint FROM app.stages), 'and stays where it is');
TRUNCATE claims RESTART IDENTITY;
SELECT tests.given_job('sheets', '{"n": 10, "of": "small"}');
SELECT tests.claims(17, 10);
SELECT is((SELECT count(*) FROM claims WHERE claimed = 'small'), 1::bigint, 'a small job is served after a turn of the large one');
SELECT is((SELECT count(*) FROM claims WHERE claimed = 'large'), 16::bigint, 'which is sixteen claims');

TRUNCATE claims RESTART IDENTITY;
SELECT tests.given_job('sheets', jsonb_build_object('n', 20000, 'of', 'large ' || i)) FROM generate_series(2, 4) AS i;
SELECT tests.claims(128, 10);
SELECT results_eq('SELECT claimed, count(*) FROM claims GROUP BY 1 ORDER BY 1', $$VALUES ('large', 32::bigint), ('large 2', 32), ('large 3', 32), ('large 4', 32)$$,
    'four large ones take turns');
TRUNCATE claims RESTART IDENTITY;
SELECT tests.given_job('sheets', '{"n": 3, "of": "urgent"}', 1);
SELECT tests.claims(3, 1);
SELECT is((SELECT array_agg(claimed) FROM claims), '{urgent,urgent,urgent}', 'priority before turns');
TRUNCATE claims RESTART IDENTITY;
SELECT tests.given_job('sheets', '{"n": 1, "of": "low"}', -1);
SELECT tests.claims(300, 1);
SELECT is((SELECT count(*) FROM claims WHERE claimed = 'low'), 0::bigint, 'a lower priority waits ten minutes');
SELECT tests.move_clock(interval '290 seconds');
SELECT tests.claims(200, 1);
SELECT is((SELECT count(*) FROM claims WHERE claimed = 'low'), 1::bigint, 'and then has its turn: it does not starve behind those that take turns');
SELECT ok((SELECT count(*) = 4 AND min(low) < max(high) FROM app.ready_stages));
SELECT * FROM finish();
ROLLBACK;
