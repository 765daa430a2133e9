"""A column that a view shows gets another type. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    size: int = Field(ge=0, le=2147483647, description="Size")


FUNCTIONS = [
    """
    CREATE VIEW app.big AS SELECT size FROM app.things WHERE size > 1;
    """,
    """
    GRANT SELECT ON app.big TO geomill_reader;
    """,
]
