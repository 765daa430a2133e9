INSERT INTO app.things (thing_id, sizes) VALUES (1, '{1,2}');
