-- The workflows of the no-op tasks: one stage of n; and a stage of one, then one of n.
INSERT INTO app.job_types (job_type, description, total_stages, parameter_schema, fingerprint)
VALUES ('bench', 'no-op tasks', 1, '{}', 'bench'), ('bench_fan_out', 'one task, then n', 2, '{}', 'bench')
ON CONFLICT DO NOTHING;
INSERT INTO app.job_stages (job_type, version, stage, name, task_type, fan_out, fan_out_path, max_attempts, backoff_seconds,
                            backoff_max_seconds, max_runtime_seconds, failure_policy)
VALUES ('bench', 1, 1, 'no-op', 'bench', 'count', '$.n', 3, 1, 1, 600, 'fail_job'),
       ('bench_fan_out', 1, 1, 'first', 'bench', 'single', NULL, 3, 1, 1, 600, 'fail_job'),
       ('bench_fan_out', 1, 2, 'no-op', 'bench', 'count', '$.n', 3, 1, 1, 600, 'fail_job')
ON CONFLICT DO NOTHING;
-- As the generated validators are: PL/pgSQL.
CREATE OR REPLACE FUNCTION app.validate_bench(value jsonb) RETURNS TABLE (filled jsonb, problems jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN filled := value; problems := ''[]''; RETURN NEXT; END';
CREATE OR REPLACE FUNCTION app.validate_bench_fan_out(value jsonb) RETURNS TABLE (filled jsonb, problems jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN filled := value; problems := ''[]''; RETURN NEXT; END';
