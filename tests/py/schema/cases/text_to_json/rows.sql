INSERT INTO app.things (thing_id, name) VALUES (1, '{}');
