INSERT INTO app.things (thing_id, name, size) VALUES (1, 'a', 1), (2, 'b', 2);
