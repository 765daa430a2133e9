INSERT INTO app.things (thing_id, price) VALUES (1, 1.25), (2, 100.00);
