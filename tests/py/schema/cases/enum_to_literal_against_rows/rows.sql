INSERT INTO app.things (thing_id, colour) VALUES (1, 'red'), (2, 'green');
