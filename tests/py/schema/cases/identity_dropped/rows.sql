INSERT INTO app.things (name) VALUES ('a'), ('b');
