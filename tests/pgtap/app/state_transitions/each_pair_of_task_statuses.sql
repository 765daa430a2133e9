BEGIN;
SELECT plan(2);
SELECT tests.given_workflow('probe', '[{}]');
SELECT tests.given_job('probe', '{}');
CREATE TEMP TABLE seen (was text, becomes text, allowed boolean);
-- Each pair is tried on a row that is put into its first status with the trigger off.
DO $$
DECLARE
    pair record;
BEGIN
    FOR pair IN
        SELECT w AS was, b AS becomes FROM unnest(enum_range(NULL::app.task_status)) AS w, unnest(enum_range(NULL::app.task_status)) AS b
    LOOP
        ALTER TABLE app.tasks DISABLE TRIGGER trg_tasks_status;
        UPDATE app.tasks SET status = pair.was;
        ALTER TABLE app.tasks ENABLE TRIGGER trg_tasks_status;
        BEGIN
            UPDATE app.tasks SET status = pair.becomes;
            INSERT INTO seen VALUES (pair.was, pair.becomes, true);
        EXCEPTION WHEN SQLSTATE 'GM409' THEN
            INSERT INTO seen VALUES (pair.was, pair.becomes, false);
        END;
    END LOOP;
END;
$$;
SELECT is((SELECT count(*) FROM seen), 36::bigint);
SELECT set_eq(
    'SELECT was, becomes FROM seen WHERE allowed AND was <> becomes',
    $$VALUES ('pending', 'processing'), ('pending', 'failed'), ('pending', 'skipped'), ('pending', 'cancelled'),
             ('processing', 'pending'), ('processing', 'completed'), ('processing', 'failed'), ('processing', 'skipped'), ('processing', 'cancelled'),
             ('failed', 'pending'), ('cancelled', 'pending')$$,
    'those of the enum, and no other, whether the trigger''s condition names them or its arguments');
SELECT * FROM finish();
ROLLBACK;
