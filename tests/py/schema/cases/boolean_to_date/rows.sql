INSERT INTO app.things (thing_id, done) VALUES (1, true);
