INSERT INTO app.things (thing_id, low) VALUES (1, 1), (2, 2);
