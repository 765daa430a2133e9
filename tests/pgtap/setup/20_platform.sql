-- Given-helpers of the platform's tests, after those of the engine.

-- A client with a login of the same name, a prefix of its own, and /data/<client>/ as its one source root.
CREATE FUNCTION tests.given_client(client_id text DEFAULT 'hub', prefix text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE ROLE %I LOGIN IN ROLE geomill_client', client_id);
    PERFORM platform.create_client(client_id, client_id, coalesce(prefix, client_id), 'A data hub of the tests');
    PERFORM platform.allow_source_root(client_id, format('/data/%s/', client_id));
    RETURN client_id;
END;
$$;

-- The rows of a statement that a login runs, each as JSON; it is that login's session while it runs. SETOF is collected
-- first, so that nothing of the test itself runs as the login.
CREATE FUNCTION tests.ask(login text, statement text) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
    rows jsonb;
BEGIN
    PERFORM set_config('session_authorization', login, true);
    EXECUTE format('WITH asked AS MATERIALIZED (%s) SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(asked)), ''[]'') FROM asked', statement) INTO rows;
    EXECUTE 'RESET SESSION AUTHORIZATION';
    RETURN QUERY SELECT r.value FROM jsonb_array_elements(rows) AS r;
END;
$$;

-- What a login is refused with: sqlstate, message, hint and problems (always an array); NULL where it is not refused.
CREATE FUNCTION tests.refusal(login text, statement text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    state text;
    message text;
    detail text;
    hint text;
BEGIN
    PERFORM set_config('session_authorization', login, true);
    EXECUTE statement;
    EXECUTE 'RESET SESSION AUTHORIZATION';
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN jsonb_build_object('sqlstate', state, 'message', message, 'hint', hint, 'problems', CASE left(detail, 1)
        WHEN '[' THEN detail::jsonb WHEN '{' THEN jsonb_build_array(detail::jsonb) ELSE '[]' END);
END;
$$;

-- Fields and codes of a refusal, as 'field CODE', in order of field.
CREATE FUNCTION tests.refused(login text, statement text) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(concat_ws(' ', p ->> 'field', p ->> 'code') ORDER BY p ->> 'field' COLLATE "C", p ->> 'code' COLLATE "C")
      FROM jsonb_array_elements(tests.refusal(login, statement) -> 'problems') AS p;
$$;

-- Submit as a client: a vector file of its own unless said otherwise. Returns submit_request's row.
CREATE FUNCTION tests.submitted(
    login text, version text DEFAULT '1', config jsonb DEFAULT '{}', file text DEFAULT 'roads.gpkg', callback_url text DEFAULT NULL,
    client_request_id text DEFAULT NULL, dry_run boolean DEFAULT false
) RETURNS jsonb LANGUAGE sql AS $$
    SELECT tests.ask(login, format('SELECT * FROM platform.submit_request(%L, %L, %L, %L, processing_config => %L, callback_url => %L, client_request_id => %L, dry_run => %L)',
                                   'Base Map', 'roads', version, format('/data/%s/%s', login, file), config, callback_url, client_request_id, dry_run));
$$;

CREATE FUNCTION tests.status(login text, request_id text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT tests.ask(login, format('SELECT platform.get_request_status(%L) AS status', request_id)) -> 'status';
$$;

-- The request's running job reports its end, as if workers had done it: its tasks are completed with result until it has.
CREATE FUNCTION tests.end_job(request_id text, result jsonb DEFAULT '{}', worker text DEFAULT 'w1') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    job text;
    task record;
BEGIN
    SELECT j.job_id INTO STRICT job FROM app.jobs AS j WHERE j.platform_request_id = end_job.request_id AND j.status IN ('pending', 'processing');
    LOOP
        SELECT * INTO task FROM app.claim_tasks(worker, NULL, 1);
        EXIT WHEN NOT FOUND;
        -- What the engine would make of the next jobs' tasks belongs to the next call.
        PERFORM app.complete_task_and_check_stage(task.task_id, task.attempt, end_job.result);
        EXIT WHEN (SELECT j.status NOT IN ('pending', 'processing') FROM app.jobs AS j WHERE j.job_id = job);
    END LOOP;
    RETURN (SELECT j.status FROM app.jobs AS j WHERE j.job_id = job);
END;
$$;

-- The request's running job fails for good.
CREATE FUNCTION tests.fail_job(request_id text, worker text DEFAULT 'w1') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    task record;
BEGIN
    SELECT c.* INTO STRICT task FROM app.claim_tasks(worker, NULL, 1) AS c;
    PERFORM app.fail_task(task.task_id, task.attempt, tests.error());
    RETURN (SELECT r.status FROM platform.requests AS r WHERE r.request_id = fail_job.request_id);
END;
$$;

-- A vector request from its submission to its end.
CREATE FUNCTION tests.completed(request_id text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tests.end_job(request_id, '{"chunks": [{"first": 0}], "vector": {"rows": 3}, "endpoints": {"table": "geo.t"}, "warnings": [{"code": "W", "message": "m"}]}');
    PERFORM tests.end_job(request_id, '{"endpoints": {"stac_item": "/collections/c/items/i"}, "stac_metadata": {"id": "i"}}');
    RETURN (SELECT r.status FROM platform.requests AS r WHERE r.request_id = completed.request_id);
END;
$$;

CREATE FUNCTION tests.unpublish(login text, request_id text, dry_run boolean DEFAULT true) RETURNS jsonb LANGUAGE sql AS $$
    SELECT tests.ask(login, format('SELECT platform.unpublish_request(%L, %L) AS document', request_id, dry_run)) -> 'document';
$$;

-- A login shared by a gateway.
CREATE FUNCTION tests.given_gateway(login text DEFAULT 'gate') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE ROLE %I LOGIN IN ROLE geomill_gateway', login);
    RETURN login;
END;
$$;
