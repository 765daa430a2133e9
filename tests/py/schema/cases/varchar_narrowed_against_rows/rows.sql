INSERT INTO app.things (thing_id, name) VALUES (1, 'short'), (2, 'much too long');
