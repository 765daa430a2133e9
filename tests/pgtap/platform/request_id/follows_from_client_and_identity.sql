BEGIN;
SELECT plan(5);
SELECT matches(platform.request_id('c', 'd', 'r', 'v'), '^[0-9a-f]{32}$', '32 hex digits');
SELECT is(platform.request_id('c', 'd', 'r', 'v'), left(encode(sha256('["c","d","r","v"]'), 'hex'), 32), 'of a hash that anyone can compute');
SELECT isnt(platform.request_id('c', 'a_b', 'c', 'v'), platform.request_id('c', 'a', 'b_c', 'v'), 'where one ends and the next begins counts');
SELECT isnt(platform.request_id('c', 'd', 'r', 'v'), platform.request_id('x', 'd', 'r', 'v'), 'and so does the client');
SELECT is(platform.request_id('c', E'e\u0301', 'r', 'v'), platform.request_id('c', E'\u00e9', 'r', 'v'), 'but not the spelling of an accent');
SELECT * FROM finish();
ROLLBACK;
