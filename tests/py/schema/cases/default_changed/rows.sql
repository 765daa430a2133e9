INSERT INTO app.things (thing_id) VALUES (1), (2), (3);
