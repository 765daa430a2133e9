INSERT INTO app.things (thing_id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO app.horses VALUES (1, NULL);
INSERT INTO app.carts VALUES (1, 1);
UPDATE app.horses SET cart_id = 1;
