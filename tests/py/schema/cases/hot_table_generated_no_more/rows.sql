INSERT INTO app.things (thing_id, size) VALUES (1, 1), (2, 2);
