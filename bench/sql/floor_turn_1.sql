UPDATE bench_floor.task SET state = 1, started = now()
 WHERE id = (SELECT id FROM bench_floor.task WHERE state = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id \gset
UPDATE bench_floor.task SET state = 2, done = now() WHERE id = :id;
