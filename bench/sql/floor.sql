-- The floor of every engine figure: a bare table, one claiming and one completing UPDATE, each its own commit. No
-- fan-in, no fencing, no result.
DROP SCHEMA IF EXISTS bench_floor CASCADE;
CREATE SCHEMA bench_floor;
CREATE TABLE bench_floor.task (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state   smallint NOT NULL DEFAULT 0,          -- 0 ready, 1 claimed, 2 done
    worker  text,
    started timestamptz,
    done    timestamptz,
    payload jsonb
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX task_ready ON bench_floor.task (id) WHERE state = 0;
