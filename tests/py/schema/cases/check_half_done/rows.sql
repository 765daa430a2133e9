INSERT INTO app.things (thing_id, size) VALUES (1, 1), (2, 2);
ALTER TABLE app.things ADD CONSTRAINT things_size_check CHECK (size >= 0) NOT VALID;
