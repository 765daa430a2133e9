WITH c AS (UPDATE bench_floor.task SET state = 1, started = now()
            WHERE id = ANY (ARRAY(SELECT id FROM bench_floor.task WHERE state = 0 ORDER BY id LIMIT 50 FOR UPDATE SKIP LOCKED))
           RETURNING id)
SELECT coalesce(array_agg(id), '{}')::text AS ids FROM c \gset
UPDATE bench_floor.task SET state = 2, done = now() WHERE id = ANY (:ids::bigint[]);
