INSERT INTO app.things (thing_id, weight, sent_at) VALUES (1, 10, now()), (2, 20, NULL);
