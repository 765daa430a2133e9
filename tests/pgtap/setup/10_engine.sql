-- Given-helpers of the engine's tests. Loaded once into the test database, after the deploy; every test runs in a
-- transaction of its own and rolls back.
CREATE SCHEMA IF NOT EXISTS tests;

-- Time: app.clock() is replaced by one that tests can move.
CREATE TABLE tests.clock_offset (moved interval NOT NULL);
INSERT INTO tests.clock_offset VALUES (interval '0');
CREATE OR REPLACE FUNCTION app.clock() RETURNS timestamptz LANGUAGE sql VOLATILE SET search_path = '' AS $$
    SELECT pg_catalog.clock_timestamp() + (SELECT moved FROM tests.clock_offset);
$$;
GRANT USAGE ON SCHEMA tests TO PUBLIC;
GRANT SELECT ON tests.clock_offset TO PUBLIC;
CREATE FUNCTION tests.move_clock(by interval) RETURNS void LANGUAGE sql AS $$ UPDATE tests.clock_offset SET moved = moved + by $$;

-- Workflows of the tests: each is one stage list; parameters are taken as they come.
CREATE FUNCTION tests.given_workflow(name text, stages jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.job_types (job_type, version, description, total_stages, parameter_schema, fingerprint)
    VALUES (name, 1, 'a workflow of the tests', jsonb_array_length(stages), '{}', md5(stages::text));
    INSERT INTO app.job_stages (job_type, version, stage, name, task_type, fan_out, fan_out_path, fan_out_from, task_parameters, condition,
                                max_attempts, backoff_seconds, backoff_max_seconds, max_runtime_seconds, failure_policy, max_failed_fraction, weight)
    SELECT given_workflow.name, 1, s.position, coalesce(s.stage ->> 'name', 'stage ' || s.position), coalesce(s.stage ->> 'task_type', 'work'),
           coalesce(s.stage ->> 'fan_out', 'single')::app.fan_out, s.stage ->> 'path', coalesce(s.stage ->> 'of', 'parameters'),
           coalesce(s.stage -> 'task_parameters', '[]'), s.stage ->> 'condition',
           coalesce((s.stage ->> 'max_attempts')::integer, 3), coalesce((s.stage ->> 'backoff_seconds')::float8, 1), 60,
           coalesce((s.stage ->> 'max_runtime_seconds')::float8, 600),
           coalesce(s.stage ->> 'failure_policy', 'fail_job')::app.failure_policy, coalesce((s.stage ->> 'max_failed_fraction')::float8, 1), 1
      FROM jsonb_array_elements(stages) WITH ORDINALITY AS s (stage, position);
    EXECUTE format('CREATE FUNCTION app.%I(value jsonb) RETURNS TABLE (filled jsonb, problems jsonb) LANGUAGE sql SET search_path = '''' AS $f$ SELECT value, ''[]''::jsonb $f$',
                   'validate_' || name);
END;
$$;

CREATE FUNCTION tests.given_job(job_type text, parameters jsonb, priority integer DEFAULT 0) RETURNS text LANGUAGE sql AS $$
    SELECT app.submit_job(job_type, parameters, priority);
$$;

CREATE FUNCTION tests.error(retryable boolean DEFAULT false, code text DEFAULT 'TEST_FAILURE') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('code', code, 'category', 'data', 'message', 'as the test wants it', 'retryable', retryable);
$$;

-- Claim and complete everything that is ready, n tasks at most; returns how many were completed.
CREATE FUNCTION tests.work(worker text DEFAULT 'w1', most integer DEFAULT 1000000, result jsonb DEFAULT '{}') RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    task record;
    done integer := 0;
BEGIN
    WHILE done < most LOOP
        SELECT * INTO task FROM app.claim_tasks(worker, NULL, 1);
        EXIT WHEN NOT FOUND;
        PERFORM app.complete_task_and_check_stage(task.task_id, task.attempt, work.result);
        done := done + 1;
    END LOOP;
    RETURN done;
END;
$$;

CREATE FUNCTION tests.task_status(task_id bigint) RETURNS text LANGUAGE sql AS $$ SELECT t.status::text FROM app.tasks AS t WHERE t.task_id = task_status.task_id $$;
CREATE FUNCTION tests.job_status(job_id text) RETURNS text LANGUAGE sql AS $$ SELECT j.status::text FROM app.jobs AS j WHERE j.job_id = job_status.job_id $$;
CREATE FUNCTION tests.stage_status(job_id text, stage integer) RETURNS text LANGUAGE sql AS $$
    SELECT s.status::text FROM app.stages AS s WHERE s.job_id = stage_status.job_id AND s.stage = stage_status.stage;
$$;
CREATE FUNCTION tests.stage_tasks(job_id text, stage integer) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM app.stages AS s JOIN app.tasks AS t ON t.stage_id = s.stage_id WHERE s.job_id = stage_tasks.job_id AND s.stage = stage_tasks.stage;
$$;
CREATE FUNCTION tests.open_tasks(job_id text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM app.stages AS s JOIN app.tasks AS t ON t.stage_id = s.stage_id
     WHERE s.job_id = open_tasks.job_id AND t.status IN ('pending', 'processing');
$$;
-- DETAIL of the error that a statement raises, as JSON; NULL where it raises none.
CREATE FUNCTION tests.detail_of(statement text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN detail::jsonb;
END;
$$;
