INSERT INTO app.things (thing_id, code) VALUES (1, 'a'), (2, 'b');
