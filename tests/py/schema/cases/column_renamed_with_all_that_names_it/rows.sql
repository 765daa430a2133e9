INSERT INTO app.things (thing_id, width) VALUES (1, 2), (2, 4);
