"""The data models: one class is one table of `app` or `platform`; nothing here is data in flight.

Adding a table is adding one class, to a module of this package: every `Table` that is defined in one is generated, in the
order in which it stands there. A reference may go up or down.
"""

from __future__ import annotations

import importlib
import pkgutil

from codegen.models.base import Check, Column, Index, Table, TableOptions, table
from codegen.models.enums import ENUMS


def _tables(module_name: str) -> list[type[Table]]:
    """The tables that a module defines; not those that it imports, nor a base without a table of its own."""
    return [
        found
        for found in vars(importlib.import_module(module_name)).values()
        if isinstance(found, type) and issubclass(found, Table) and found.__module__ == module_name and "__table__" in vars(found)
    ]


TABLES: list[type[Table]] = [found for module in pkgutil.iter_modules(__path__, f"{__name__}.") for found in _tables(module.name)]

__all__ = ["ENUMS", "TABLES", "Check", "Column", "Index", "Table", "TableOptions", "table"]
