"""The data models: one class is one table of `app` or `platform`; nothing here is data in flight."""

from codegen.models import app, platform
from codegen.models.base import Check, Column, Index, Table, TableOptions, table
from codegen.models.enums import ENUMS

TABLES: list[type[Table]] = [*app.TABLES, *platform.TABLES]

__all__ = ["ENUMS", "TABLES", "Check", "Column", "Index", "Table", "TableOptions", "table"]
