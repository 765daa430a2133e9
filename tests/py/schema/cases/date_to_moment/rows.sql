INSERT INTO app.things (thing_id, day) VALUES (1, '2026-02-01'), (2, '2026-03-01');
