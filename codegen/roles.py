"""Whether the roles are as db/roles.sql makes them: there, in the right groups, without attributes that lead around rights, and
with default privileges that keep PUBLIC out of what they make later. Deploy runs that file each time; this only looks.
"""

from __future__ import annotations

from typing import Any

import psycopg

ROLES = ("geomill_owner", "geomill_api", "geomill_worker", "geomill_client", "geomill_gateway", "geomill_admin", "geomill_reader")

MEMBERS = {
    ("geomill_worker", "geomill_owner"),
    ("geomill_api", "geomill_owner"),
    ("pg_signal_backend", "geomill_owner"),
    ("pg_read_all_stats", "geomill_owner"),
    ("pgstac_admin", "geomill_owner"),
}
"""Group and member, of the roles that are geomill's own. Who else is in a group is its administrator's business."""

MAKERS = ("geomill_owner", "geomill_api", "geomill_worker")
"""Whose functions are closed to PUBLIC from the moment that they are made."""


def differences(connection: psycopg.Connection[Any]) -> list[str]:
    """What is not as db/roles.sql makes it, for people; [] if all is."""
    return [*_missing(connection), *_attributes(connection), *_members(connection), *_defaults(connection), *_public(connection)]


def _missing(connection: psycopg.Connection[Any]) -> list[str]:
    there = {row[0] for row in connection.execute("SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = ANY (%s)", [list(ROLES)])}
    return [f"missing    role {role}" for role in ROLES if role not in there]


def _attributes(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        """
        SELECT r.rolname, a.attribute
          FROM pg_catalog.pg_roles AS r
         CROSS JOIN LATERAL (VALUES ('SUPERUSER', r.rolsuper), ('BYPASSRLS', r.rolbypassrls), ('CREATEROLE', r.rolcreaterole),
                                    ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication)) AS a (attribute, has)
         WHERE r.rolname = ANY (%s) AND a.has
         ORDER BY 1, 2
        """,
        [list(ROLES)],
    )
    return [f"unexpected attribute {attribute} of role {role}" for role, attribute in rows]


def _members(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        """
        SELECT g.rolname, m.rolname
          FROM pg_catalog.pg_auth_members AS a
          JOIN pg_catalog.pg_roles AS g ON g.oid = a.roleid
          JOIN pg_catalog.pg_roles AS m ON m.oid = a.member
         WHERE m.rolname = ANY (%s)
        """,
        [list(ROLES)],
    )
    found = {(row[0], row[1]) for row in rows}
    missing = [f"missing    membership of {member} in {group}" for group, member in sorted(MEMBERS - found)]
    return missing + [f"unexpected membership of {member} in {group}" for group, member in sorted(found - MEMBERS)]


def _defaults(connection: psycopg.Connection[Any]) -> list[str]:
    """Built-in defaults open functions to PUBLIC, and nothing else; written ones could open anything to anybody."""
    rows = connection.execute(
        """
        SELECT r.rolname
          FROM pg_catalog.pg_roles AS r
          LEFT JOIN pg_catalog.pg_default_acl AS d ON d.defaclrole = r.oid AND d.defaclnamespace = 0 AND d.defaclobjtype = 'f'
         WHERE r.rolname = ANY (%(makers)s)
           AND (d.oid IS NULL OR EXISTS (SELECT FROM pg_catalog.aclexplode(d.defaclacl) AS a WHERE a.grantee = 0))
         ORDER BY 1
        """,
        {"makers": list(MAKERS)},
    )
    closed = [f"missing    default privilege of {row[0]}: PUBLIC may execute what it makes" for row in rows]
    rows = connection.execute(
        """
        SELECT DISTINCT r.rolname, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(a.grantee) END,
               coalesce(' in ' || n.nspname, '')
          FROM pg_catalog.pg_default_acl AS d
          JOIN pg_catalog.pg_roles AS r ON r.oid = d.defaclrole
          LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = d.defaclnamespace
         CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) AS a
         WHERE r.rolname = ANY (%(roles)s) AND a.grantee <> d.defaclrole
           AND NOT (d.defaclobjtype = 'f' AND a.grantee = 0 AND d.defaclnamespace = 0)
           AND NOT (d.defaclobjtype = 'T' AND a.grantee = 0 AND d.defaclnamespace = 0)
         ORDER BY 1, 2, 3
        """,
        {"roles": list(ROLES)},
    )
    return closed + [f"unexpected default privilege of {role}: what it makes{where} is open to {grantee}" for role, grantee, where in rows]


def _public(connection: psycopg.Connection[Any]) -> list[str]:
    row = connection.execute(
        """
        SELECT count(*) > 0
          FROM pg_catalog.pg_namespace AS n
         CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) AS a
         WHERE n.nspname = 'public' AND a.grantee = 0 AND a.privilege_type = 'CREATE'
        """
    ).fetchone()
    return ["unexpected grant of CREATE on schema public to PUBLIC"] if row and row[0] else []
