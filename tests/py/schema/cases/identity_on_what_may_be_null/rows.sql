INSERT INTO app.things (thing_id, number) VALUES (1, 7), (2, 9);
