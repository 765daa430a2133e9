INSERT INTO app.things (thing_id, status) VALUES (1, 'off'), (2, 'on');
