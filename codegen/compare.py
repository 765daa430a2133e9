"""How two generated schemas differ, object by object, without a server: what deploy kept, and what the models say now."""

from __future__ import annotations

import difflib
from pathlib import Path

from codegen import history
from codegen.refusal import RefusedError
from codegen.settings import settings


def compare(old: Path | None, new: Path | None) -> list[str]:
    """The differences for people: each object that is new, gone or other, with its lines. [] if there is none."""
    before = history.objects((old or _kept()).read_text())
    after = history.objects(new.read_text() if new else history.schema_text())
    lines: list[str] = []
    for named in sorted(before.keys() | after.keys()):
        was, is_ = before.get(named), after.get(named)
        if was == is_:
            continue
        lines.append(f"{'new' if was is None else 'gone' if is_ is None else 'changed'}: {named}")
        delta = difflib.unified_diff((was or "").splitlines(), (is_ or "").splitlines(), lineterm="", n=1)
        lines += [f"    {line}" for line in list(delta)[2:]]
    return lines


def _kept() -> Path:
    """What was deployed last: what the models say now is compared with it; if they are one, with the one before."""
    folders = sorted((settings().home / "schema").glob(f"*/{history.CURRENT}"))
    if len(folders) != 1:
        found = ", ".join(str(path) for path in folders) or "none"
        raise RefusedError("compare", f"which schema is meant? Kept by deploys: {found}", "name the file")
    backup = folders[0].with_name(history.BACKUP)
    return backup if backup.exists() and folders[0].read_text() == history.schema_text() else folders[0]
