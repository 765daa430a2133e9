"""psql as one of geomill's roles: `python -m ops.psql ROLE [ARGUMENTS OF PSQL]`.

The connection reaches psql in libpq's own environment variables, not on its command line, which everybody on the
machine can read.
"""

from __future__ import annotations

import os
import sys

from codegen.connection import as_role, environment_of, parameters, resolve_dsn
from codegen.refusal import RefusedError


def main() -> None:
    role, *arguments = sys.argv[1:] or ["owner"]
    try:
        connection = environment_of(parameters(resolve_dsn(as_role(role))))
        os.execvpe("psql", ["psql", *arguments], os.environ | connection)  # noqa: S606 (no shell is wanted)
    except RefusedError as refusal:
        sys.exit(f"geomill: {refusal}")
    except FileNotFoundError:
        sys.exit("geomill: psql is not installed: apt-get install postgresql-client")


if __name__ == "__main__":
    main()
