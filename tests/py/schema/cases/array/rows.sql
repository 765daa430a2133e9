INSERT INTO app.things (thing_id, tags) VALUES (1, '{a,b}'), (2, '{}');
