INSERT INTO app.things (thing_id, size, twice) VALUES (1, 1, 5), (2, 2, 6);
