BEGIN;
SELECT plan(5);
SELECT tests.given_client() \gset
SELECT tests.submitted('hub', callback_url => 'https://hub.example.org/hook') ->> 'request_id' AS id \gset
SELECT tests.completed(:'id') \gset
CREATE TEMPORARY TABLE waits AS SELECT 0::double precision AS seconds WHERE false;
DO $$
DECLARE
    task record;
    verdict record;
BEGIN
    LOOP
        SELECT c.* INTO task FROM app.claim_tasks('w1', '{webhook_deliver}', 1) AS c;
        PERFORM platform.begin_delivery(task.task_id, task.attempt);
        PERFORM platform.record_failed_call(task.task_id, task.attempt, 'no connection');
        SELECT f.* INTO verdict FROM app.fail_task(task.task_id, task.attempt, tests.error(true)) AS f;
        EXIT WHEN NOT verdict.will_retry;
        INSERT INTO waits SELECT extract(epoch FROM verdict.run_at - app.clock());
        PERFORM tests.move_clock(verdict.run_at - app.clock() + interval '1 second');
    END LOOP;
END $$;
SELECT is((SELECT (d.status, d.attempts, d.last_error)::text FROM platform.webhook_deliveries AS d), '(dead,15,"as the test wants it")', 'given up after fifteen calls, with the error that its job ended with');
SELECT ok((SELECT sum(w.seconds) BETWEEN 18 * 3600 AND 31 * 3600 FROM waits AS w), 'over about a day');
SELECT ok((SELECT max(w.seconds) <= 18000 FROM waits AS w), 'never more than five hours apart');
SELECT is(tests.status('hub', :'id') ->> 'callback_status', 'dead', 'the client can see it');
SELECT is(tests.status('hub', :'id') ->> 'status', 'completed', 'and its request is what it was');
SELECT * FROM finish();
ROLLBACK;
