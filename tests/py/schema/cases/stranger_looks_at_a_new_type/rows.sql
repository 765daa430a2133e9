INSERT INTO app.things (thing_id, size) VALUES (1, 1);
CREATE VIEW app.their_view AS SELECT size FROM app.things;
