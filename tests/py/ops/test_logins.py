"""python -m codegen logins: on a server of somebody else's, passwords that work for others stay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.py.support.server import CHECKOUT, Database


def logins(database: Database, home: Path) -> str:
    environment = {name: value for name, value in database.environment().items() if not name.startswith("GEOMILL_DSN_")}
    environment |= {"GEOMILL_DSN": database.dsn(), "GEOMILL_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "codegen", "logins"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_another_checkout_does_not_take_the_passwords(module_database: Database, tmp_path: Path) -> None:
    said = logins(module_database, tmp_path)
    assert "set GEOMILL_DSN_WORKER" in said
    assert "new password" not in said
    assert list(tmp_path.glob("dsn/*")) == []
    with module_database.connect("worker") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
