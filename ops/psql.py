"""psql as one of geomill's roles: `python -m ops.psql ROLE [ARGUMENTS OF PSQL]`.

The connection reaches psql in libpq's own environment variables, not on its command line, which everybody on the
machine can read.
"""

from __future__ import annotations

import os
import sys

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from codegen.connection import resolve_dsn


def environment(dsn: str) -> dict[str, str]:
    """What the connection string says, as the variables that libpq reads it from."""
    variables = {option.keyword.decode(): option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    return {variables[key]: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None and key in variables}


def main() -> None:
    role, *arguments = sys.argv[1:] or ["owner"]
    try:
        os.execvpe("psql", ["psql", *arguments], os.environ | environment(resolve_dsn(role)))  # noqa: S606 (the shell's own psql is meant)
    except FileNotFoundError:
        sys.exit("geomill: psql is not installed: apt-get install postgresql-client")


if __name__ == "__main__":
    main()
