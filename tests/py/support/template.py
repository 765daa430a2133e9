"""What ops/test.sh needs of a server: `python -m tests.py.support.template create|engine|drop`.

create deploys the template. engine makes a database for the SQL tests and prints its connection string. drop removes
what both made. GEOMILL_TEST_DSN, GEOMILL_TEST_TEMPLATE and GEOMILL_HOME say where.
"""

from __future__ import annotations

import sys

from tests.py.support.server import Server


def main(action: str) -> None:
    server = Server.from_environment()
    pgtap = f"{server.template}_pgtap"
    if action == "create":
        server.deploy_template()
        server.deploy_engine_template()
    elif action == "engine":
        server.drop(pgtap)
        sys.stdout.write(server.create(pgtap, template=server.engine_template).dsn() + "\n")
    elif action == "drop":
        for name in (pgtap, server.engine_template, server.template):
            server.drop(name)
    else:
        sys.exit(f"no such action: {action}")


if __name__ == "__main__":
    main(sys.argv[1])
