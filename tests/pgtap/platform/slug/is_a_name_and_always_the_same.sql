BEGIN;
SELECT plan(14);
SELECT is(platform.slug(s.value), s.slug, s.value)
  FROM (VALUES ('roads', 'roads'), ('Base Map_Roads_2024.1', 'base_map_roads_2024_1'), ('Café--Übersicht!', 'cafe_ubersicht'), ('  x  ', 'x'), ('2024 roads', 't_2024_roads'),
               ('ﬁne №5', 'fine_no5'), ('a''b"c;--', 'a_b_c'), ('_load_x', 'load_x'), ('İstanbul', 'istanbul')) AS s (value, slug);
SELECT matches(platform.slug('地図'), '^t_[0-9a-f]{16}$', 'what has no Latin letter is its hash');
SELECT isnt(platform.slug('地図'), platform.slug('地'), 'and another text another hash');
SELECT is(octet_length(platform.slug(repeat('long ', 40))), 63, 'a long one is cut to 63 bytes');
SELECT isnt(platform.slug(repeat('long ', 40)), platform.slug(repeat('long ', 41)), 'and stays distinct');
SELECT is(octet_length(platform.slug(repeat('x', 63))), 63, 'what fits is kept');
SELECT * FROM finish();
ROLLBACK;
