INSERT INTO app.things (thing_id, part) VALUES (1, 1), (2, 2);
