-- What schemas hold, as rows of (kind, name, definition, detail, oid), sorted. Parameters: schemas (text[]).
--
-- definition is what two readings are compared by; detail (jsonb) holds its parts, for whoever changes one into another.
-- Read with search_path = '', so that every name in a definition is qualified. Column order is left out of definitions: a
-- column that was added later stands last. Rights are exploded, so that a NULL ACL and its written-out default are the same.
-- What belongs to an extension is left out.
WITH mine AS (
    SELECT n.oid, n.nspname, n.nspowner, n.nspacl FROM pg_namespace AS n WHERE n.nspname = ANY (%(schemas)s)
), member AS (
    SELECT d.classid, d.objid FROM pg_depend AS d WHERE d.deptype = 'e'
), relation AS (
    SELECT c.oid, c.oid::regclass::text AS name, c.relkind, c.relowner, c.relacl, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.reloptions
      FROM pg_class AS c JOIN mine ON mine.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND NOT EXISTS (SELECT FROM member AS e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid)
), sequence AS (
    -- Those of identity columns are parts of their column.
    SELECT c.oid, c.oid::regclass::text AS name, c.relowner, c.relacl, s.seqtypid, s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache, s.seqcycle
      FROM pg_class AS c JOIN mine ON mine.oid = c.relnamespace JOIN pg_sequence AS s ON s.seqrelid = c.oid
     WHERE NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('i', 'e'))
), routine AS (
    SELECT p.oid, p.oid::regprocedure::text AS name, p.proowner, p.proacl, p.prokind, p.prosecdef
      FROM pg_proc AS p JOIN mine ON mine.oid = p.pronamespace
     WHERE NOT EXISTS (SELECT FROM member AS e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid)
), type AS (
    SELECT t.oid, t.oid::regtype::text AS name, t.typtype, t.typowner, t.typacl
      FROM pg_type AS t JOIN mine ON mine.oid = t.typnamespace
     WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = t.typrelid AND c.relkind = 'c')))
       AND NOT EXISTS (SELECT FROM member AS e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid)
), grants AS (
    SELECT 'schema' AS class, m.nspname::text AS name, m.nspowner AS owner, a.grantee, a.privilege_type, a.is_grantable
      FROM mine AS m CROSS JOIN LATERAL aclexplode(coalesce(m.nspacl, acldefault('n', m.nspowner))) AS a
    UNION ALL
    SELECT 'table', r.name, r.relowner, a.grantee, a.privilege_type, a.is_grantable
      FROM relation AS r CROSS JOIN LATERAL aclexplode(coalesce(r.relacl, acldefault('r', r.relowner))) AS a
    UNION ALL
    SELECT 'sequence', s.name, s.relowner, a.grantee, a.privilege_type, a.is_grantable
      FROM sequence AS s CROSS JOIN LATERAL aclexplode(coalesce(s.relacl, acldefault('s', s.relowner))) AS a
    UNION ALL
    SELECT 'column', format('%%s.%%I', r.name, c.attname), r.relowner, a.grantee, a.privilege_type, a.is_grantable
      FROM relation AS r JOIN pg_attribute AS c ON c.attrelid = r.oid AND NOT c.attisdropped CROSS JOIN LATERAL aclexplode(c.attacl) AS a
    UNION ALL
    SELECT 'function', r.name, r.proowner, a.grantee, a.privilege_type, a.is_grantable
      FROM routine AS r CROSS JOIN LATERAL aclexplode(coalesce(r.proacl, acldefault('f', r.proowner))) AS a
    UNION ALL
    SELECT 'type', t.name, t.typowner, a.grantee, a.privilege_type, a.is_grantable
      FROM type AS t CROSS JOIN LATERAL aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) AS a
), found (kind, name, definition, detail, class, oid, sub) AS (
    SELECT 'schema', m.nspname::text, format('owner %%s', m.nspowner::regrole), jsonb_build_object('owner', m.nspowner::regrole::text),
           'pg_namespace'::regclass, m.oid, 0
      FROM mine AS m
    UNION ALL
    SELECT 'type', t.name, CASE t.typtype WHEN 'e' THEN labels.listed ELSE 'no enum' END || format('; owner %%s', t.typowner::regrole),
           jsonb_build_object('labels', labels.labels, 'owner', t.typowner::regrole::text, 'enum', t.typtype = 'e'), 'pg_type'::regclass, t.oid, 0
      FROM type AS t
     CROSS JOIN LATERAL (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) AS listed,
                                jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) AS labels
                           FROM pg_enum AS e WHERE e.enumtypid = t.oid) AS labels
    UNION ALL
    SELECT 'sequence', s.name,
           format('AS %%s INCREMENT BY %%s MINVALUE %%s MAXVALUE %%s START WITH %%s CACHE %%s%%s; owner %%s', s.seqtypid::regtype, s.seqincrement, s.seqmin, s.seqmax,
                  s.seqstart, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END, s.relowner::regrole),
           jsonb_build_object('owner', s.relowner::regrole::text), 'pg_class'::regclass, s.oid, 0
      FROM sequence AS s
    UNION ALL
    SELECT CASE r.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' ELSE 'view' END, r.name,
           concat_ws('; ', format('owner %%s', r.relowner::regrole), CASE r.relpersistence WHEN 'u' THEN 'unlogged' END,
                     CASE r.relkind WHEN 'p' THEN 'partitioned' WHEN 'f' THEN 'foreign' END,
                     CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END),
           jsonb_build_object('owner', r.relowner::regrole::text, 'unlogged', r.relpersistence = 'u', 'relkind', r.relkind,
                              'query', CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END),
           'pg_class'::regclass, r.oid, 0
      FROM relation AS r
    UNION ALL
    SELECT 'row security', r.name, concat_ws(', ', 'enabled', CASE WHEN r.relforcerowsecurity THEN 'forced' END),
           jsonb_build_object('forced', r.relforcerowsecurity), 'pg_class'::regclass, 0, 0
      FROM relation AS r WHERE r.relrowsecurity
    UNION ALL
    SELECT 'storage', r.name, options.listed, jsonb_build_object('options', options.options), 'pg_class'::regclass, 0, 0
      FROM relation AS r
     CROSS JOIN LATERAL (SELECT string_agg(o, ', ' ORDER BY o) AS listed, jsonb_agg(o ORDER BY o) AS options FROM unnest(r.reloptions) AS o) AS options
     WHERE r.reloptions <> '{}'
    UNION ALL
    SELECT 'column', format('%%s.%%I', r.name, a.attname),
           concat_ws(' ', c.type, CASE a.attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY' WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY' END,
                     CASE WHEN a.attgenerated = 's' THEN format('GENERATED ALWAYS AS (%%s) STORED', c.expression)
                          WHEN d.adbin IS NOT NULL THEN 'DEFAULT ' || c.expression END,
                     CASE WHEN a.attnotnull THEN 'NOT NULL' END),
           jsonb_build_object('table', r.name, 'column', quote_ident(a.attname), 'position', a.attnum, 'type', c.type, 'bare', a.atttypid::regtype::text,
                              'identity', a.attidentity, 'not_null', a.attnotnull,
                              'generated', CASE WHEN a.attgenerated = 's' THEN c.expression END,
                              'default', CASE WHEN a.attgenerated = '' THEN c.expression END),
           'pg_class'::regclass, r.oid, a.attnum::integer
      FROM relation AS r
      JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_type AS t ON t.oid = a.atttypid
      LEFT JOIN pg_attrdef AS d ON d.adrelid = r.oid AND d.adnum = a.attnum
     CROSS JOIN LATERAL (
            SELECT concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || a.attcollation::regcollation END) AS type,
                   pg_get_expr(d.adbin, d.adrelid) AS expression
           ) AS c
     WHERE r.relkind IN ('r', 'p', 'f')
    UNION ALL
    SELECT CASE c.contype WHEN 'c' THEN 'check' ELSE 'key' END, format('%%I on %%s', c.conname, r.name),
           pg_get_constraintdef(c.oid) || CASE WHEN c.convalidated OR pg_get_constraintdef(c.oid) LIKE '%% NOT VALID' THEN '' ELSE ' NOT VALID' END,
           jsonb_build_object('table', r.name, 'name', quote_ident(c.conname), 'type', c.contype, 'valid', c.convalidated,
                              'definition', regexp_replace(pg_get_constraintdef(c.oid), ' NOT VALID$', '')),
           'pg_constraint'::regclass, c.oid, 0
      FROM relation AS r JOIN pg_constraint AS c ON c.conrelid = r.oid WHERE c.contype IN ('c', 'p', 'u', 'f', 'x')
    UNION ALL
    SELECT 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END,
           jsonb_build_object('table', r.name, 'name', quote_ident(x.relname), 'unique', i.indisunique, 'valid', i.indisvalid,
                              'body', regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE (UNIQUE )?INDEX .*? (ON (ONLY )?)', 'ON \3')),
           'pg_class'::regclass, i.indexrelid, 0
      FROM relation AS r JOIN pg_index AS i ON i.indrelid = r.oid JOIN pg_class AS x ON x.oid = i.indexrelid
     WHERE NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 'function', r.name, format('-- owner %%s', r.proowner::regrole) || E'\n' || f.definition,
           jsonb_build_object('owner', r.proowner::regrole::text, 'definition', f.definition, 'prokind', r.prokind,
                              'interface', concat_ws(' ', pg_get_function_arguments(r.oid), 'RETURNS', pg_get_function_result(r.oid)),
                              'public', EXISTS (SELECT FROM grants AS g WHERE g.class = 'function' AND g.name = r.name AND g.grantee <> r.proowner)),
           'pg_proc'::regclass, r.oid, 0
      FROM routine AS r
     CROSS JOIN LATERAL (SELECT CASE WHEN r.prokind IN ('f', 'p') THEN pg_get_functiondef(r.oid) ELSE 'an aggregate or window function' END AS definition) AS f
    UNION ALL
    SELECT 'trigger', format('%%I on %%s', t.tgname, r.name), pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'O' THEN '' ELSE ' (enabled: ' || t.tgenabled::text || ')' END,
           jsonb_build_object('table', r.name, 'name', quote_ident(t.tgname), 'definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled),
           'pg_trigger'::regclass, t.oid, 0
      FROM relation AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'policy', format('%%I on %%s', p.polname, r.name), policy.body,
           jsonb_build_object('table', r.name, 'name', quote_ident(p.polname), 'body', policy.body), 'pg_policy'::regclass, p.oid, 0
      FROM relation AS r JOIN pg_policy AS p ON p.polrelid = r.oid
     CROSS JOIN LATERAL (
            SELECT concat_ws(' ', 'AS', CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                             'FOR', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                             'TO ' || (SELECT string_agg(CASE g WHEN 0 THEN 'PUBLIC' ELSE g::regrole::text END, ', ' ORDER BY g::regrole::text) FROM unnest(p.polroles) AS g),
                             'USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', 'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')') AS body
           ) AS policy
    UNION ALL
    SELECT 'rule', format('%%I on %%s', w.rulename, r.name), pg_get_ruledef(w.oid),
           jsonb_build_object('table', r.name, 'name', quote_ident(w.rulename), 'definition', pg_get_ruledef(w.oid)), 'pg_rewrite'::regclass, w.oid, 0
      FROM relation AS r JOIN pg_rewrite AS w ON w.ev_class = r.oid WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT 'comment', format('%%s %%s', lower(c.class), c.name), c.description,
           jsonb_build_object('on', c.class || ' ' || c.name, 'class', lower(c.class), 'of', c.name), 'pg_description'::regclass, 0, 0
      FROM (
            SELECT CASE WHEN r.relkind IN ('v', 'm') THEN 'VIEW' ELSE 'TABLE' END, r.name, d.description
              FROM relation AS r JOIN pg_description AS d ON d.classoid = 'pg_class'::regclass AND d.objoid = r.oid AND d.objsubid = 0
            UNION ALL
            SELECT 'COLUMN', format('%%s.%%I', r.name, a.attname), d.description
              FROM relation AS r
              JOIN pg_attribute AS a ON a.attrelid = r.oid AND NOT a.attisdropped
              JOIN pg_description AS d ON d.classoid = 'pg_class'::regclass AND d.objoid = r.oid AND d.objsubid = a.attnum AND a.attnum > 0
            UNION ALL
            SELECT 'TYPE', t.name, d.description
              FROM type AS t JOIN pg_description AS d ON d.classoid = 'pg_type'::regclass AND d.objoid = t.oid
            UNION ALL
            SELECT CASE WHEN r.prokind = 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, r.name, d.description
              FROM routine AS r JOIN pg_description AS d ON d.classoid = 'pg_proc'::regclass AND d.objoid = r.oid
           ) AS c (class, name, description)
    UNION ALL
    SELECT 'grant on ' || g.class, format('%%s to %%s', g.name, r.role), string_agg(g.privilege_type || r.option, ', ' ORDER BY g.privilege_type),
           jsonb_build_object('class', g.class, 'of', g.name, 'role', r.role, 'is_owner', g.grantee = g.owner,
                              'plain', jsonb_agg(g.privilege_type ORDER BY g.privilege_type) FILTER (WHERE NOT g.is_grantable),
                              'grantable', jsonb_agg(g.privilege_type ORDER BY g.privilege_type) FILTER (WHERE g.is_grantable)),
           'pg_class'::regclass, 0, 0
      FROM grants AS g
     CROSS JOIN LATERAL (SELECT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END AS role,
                                CASE WHEN g.is_grantable THEN ' with grant option' ELSE '' END AS option) AS r
     GROUP BY g.class, g.name, r.role, g.grantee = g.owner
)
SELECT f.kind, f.name, f.definition, f.detail, f.class::oid, f.oid, f.sub
  FROM found AS f ORDER BY f.kind COLLATE "C", f.name COLLATE "C", f.definition COLLATE "C"
