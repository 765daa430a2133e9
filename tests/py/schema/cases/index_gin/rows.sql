INSERT INTO app.things (thing_id, data) VALUES (1, '{}');
