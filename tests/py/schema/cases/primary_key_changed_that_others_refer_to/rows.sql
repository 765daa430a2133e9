INSERT INTO app.things (thing_id, code) VALUES (1, 1), (2, 2);
INSERT INTO app.parts VALUES (1, 1);
