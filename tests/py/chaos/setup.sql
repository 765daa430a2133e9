-- What the chaos suite adds to the engine's test database: a log of every status that is written, effects, workflows of its
-- own, and a point before each statement of the engine's functions, where a backend can be ended or stopped.

-- Every write of a status commits with its event, or not at all; so the log is as exact as what it is about.
CREATE TABLE tests.events (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    kind text NOT NULL,
    id text NOT NULL,
    stage_id bigint,
    old text,
    new text NOT NULL,
    attempt integer,
    forgiven integer,
    due timestamptz,
    at timestamptz
);
CREATE INDEX ON tests.events (kind, id);
CREATE INDEX ON tests.events (xid);

-- forgiven: how many more attempts are forgiven than before. due: the time that the task was waiting for.
CREATE FUNCTION tests.log_task() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    INSERT INTO tests.events (kind, id, stage_id, old, new, attempt, forgiven, due, at)
    VALUES ('task', NEW.task_id, NEW.stage_id, OLD.status, NEW.status, NEW.attempt, NEW.forgiven - OLD.forgiven, OLD.run_at, NEW.started_at);
    RETURN NULL;
END;
$$;
CREATE FUNCTION tests.log_stage() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    INSERT INTO tests.events (kind, id, stage_id, old, new)
    VALUES ('stage', NEW.stage_id, NEW.stage_id, CASE TG_OP WHEN 'UPDATE' THEN OLD.status END, NEW.status);
    RETURN NULL;
END;
$$;
CREATE FUNCTION tests.log_job() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    INSERT INTO tests.events (kind, id, old, new) VALUES ('job', NEW.job_id, CASE TG_OP WHEN 'UPDATE' THEN OLD.status END, NEW.status);
    RETURN NULL;
END;
$$;
CREATE TRIGGER log_status AFTER UPDATE OF status ON app.tasks FOR EACH ROW EXECUTE FUNCTION tests.log_task();
CREATE TRIGGER log_status AFTER INSERT OR UPDATE OF status ON app.stages FOR EACH ROW EXECUTE FUNCTION tests.log_stage();
CREATE TRIGGER log_status AFTER INSERT OR UPDATE OF status ON app.jobs FOR EACH ROW EXECUTE FUNCTION tests.log_job();

-- What tasks of the type `held` do, in the transaction of their completion.
CREATE TABLE tests.effects (task_id bigint NOT NULL, attempt integer NOT NULL);
GRANT INSERT ON tests.effects TO PUBLIC;

-- fragile: one failed task is the end. Its second stage is never wanted.
SELECT tests.given_workflow('fragile', '[
    {"fan_out": "count", "path": "$.n", "task_parameters": ["i"], "max_attempts": 3, "backoff_seconds": 1},
    {"condition": "$.parameters.n < 0", "task_type": "never"},
    {"fan_out": "single"}]');
-- tolerant: up to half of the first stage may fail; what completed is worked on one by one, as effects under a hold.
SELECT tests.given_workflow('tolerant', '[
    {"fan_out": "count", "path": "$.n", "max_attempts": 2, "backoff_seconds": 1, "failure_policy": "continue", "max_failed_fraction": 0.5},
    {"fan_out": "match_previous", "task_type": "held", "max_attempts": 50, "backoff_seconds": 0.5},
    {"fan_out": "single"}]');
-- narrow: as sturdy; its tasks come under a cap where one is set for their type.
SELECT tests.given_workflow('narrow', '[
    {"fan_out": "count", "path": "$.n", "task_type": "capped", "max_attempts": 100, "backoff_seconds": 0.02},
    {"fan_out": "single", "max_attempts": 100, "backoff_seconds": 0.02}]');
-- sturdy: for a storm; whatever dies, there is another attempt.
SELECT tests.given_workflow('sturdy', '[
    {"fan_out": "count", "path": "$.n", "max_attempts": 100, "backoff_seconds": 0.02},
    {"fan_out": "match_previous", "task_type": "held", "max_attempts": 100, "backoff_seconds": 0.02},
    {"fan_out": "single", "max_attempts": 100, "backoff_seconds": 0.02}]');

-- The point before each statement. tests.stop_at is the number of the point that counts, tests.then what happens there:
-- die ends this backend, wait stops until whoever holds the gate opens it.
CREATE FUNCTION tests.point() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    this CONSTANT integer := coalesce(nullif(current_setting('tests.point', true), '')::integer, 0) + 1;
BEGIN
    PERFORM set_config('tests.point', this::text, false);
    IF this = nullif(current_setting('tests.stop_at', true), '')::integer THEN
        IF current_setting('tests.then') = 'die' THEN
            PERFORM pg_terminate_backend(pg_backend_pid());
        ELSE
            PERFORM pg_advisory_lock_shared(7117, 1);
            PERFORM pg_advisory_unlock_shared(7117, 1);
        END IF;
    END IF;
    RETURN true;
END;
$$;

-- The tables of what the engine does, whatever they are; not those that say what it can do.
CREATE FUNCTION tests.engine_tables() RETURNS SETOF regclass LANGUAGE sql SET search_path = '' AS $$
    SELECT c.oid::regclass FROM pg_class AS c
     WHERE c.relkind = 'r' AND c.relnamespace = 'app'::regnamespace AND c.relname NOT IN ('job_types', 'job_stages', 'schema_deployments')
     ORDER BY c.relname;
$$;

-- Every row of the engine's and the platform's tables, but for what time alone changes; before and after are compared by this.
CREATE FUNCTION tests.engine_state() RETURNS text LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    one regclass;
    rows text;
    answer text := '';
BEGIN
    FOR one IN
        -- In an order of their own: that of pg_class changes whenever vacuum writes a row of it anew.
        SELECT t FROM (
               SELECT e FROM tests.engine_tables() AS e WHERE e <> 'app.janitor_runs'::regclass UNION ALL
               SELECT c.oid::regclass FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = 'platform'::regnamespace UNION ALL
               SELECT 'tests.effects'::regclass) AS every (t)
         ORDER BY t::text
    LOOP
        EXECUTE format('SELECT string_agg(r.row::text, E''\n'' ORDER BY r.row::text COLLATE "C") FROM'
                       ' (SELECT to_jsonb(t) - ''{updated_at,last_beat}''::text[] AS row FROM %s AS t) AS r', one) INTO rows;
        answer := answer || one || E':\n' || coalesce(rows || E'\n', '');
    END LOOP;
    RETURN answer;
END;
$$;

-- Empty the engine, for the next scene. Not by TRUNCATE, after which every plan would be made anew.
CREATE FUNCTION tests.forget() RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    one regclass;
BEGIN
    FOR one IN SELECT t FROM tests.engine_tables() AS t UNION ALL VALUES ('tests.events'::regclass), ('tests.effects') LOOP
        EXECUTE format('DELETE FROM %s', one);
    END LOOP;
END;
$$;
