INSERT INTO app.things (thing_id, status, size) VALUES (1, 'off', 1), (2, 'on', 2);
