INSERT INTO app.things (thing_id, name, size) VALUES (1, 'a', 1);
CREATE VIEW app.their_view AS SELECT size FROM app.things;
