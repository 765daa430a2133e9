"""psql as one of geomill's roles: `python -m ops.psql ROLE [ARGUMENTS OF PSQL]`.

The connection reaches psql in libpq's own environment variables, not on its command line, which everybody on the
machine can read.
"""

from __future__ import annotations

import os
import sys

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from codegen.connection import as_role, resolve_dsn
from codegen.refusal import RefusedError


def environment(dsn: str) -> dict[str, str]:
    """What the connection string says, as the variables that libpq reads it from."""
    variables = {option.keyword.decode(): option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    return {variables[key]: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None and key in variables}


def main() -> None:
    role, *arguments = sys.argv[1:] or ["owner"]
    try:
        connection = environment(resolve_dsn(as_role(role)))
        os.execvpe("psql", ["psql", *arguments], os.environ | connection)  # noqa: S606 (no shell is wanted)
    except RefusedError as refusal:
        sys.exit(f"geomill: {refusal}")
    except FileNotFoundError:
        sys.exit("geomill: psql is not installed: apt-get install postgresql-client")


if __name__ == "__main__":
    main()
