"""A function goes that nobody else may call. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")


FUNCTIONS = [
    """
    CREATE FUNCTION app.f(n integer) RETURNS integer LANGUAGE sql SET search_path = '' AS $$ SELECT n + 1 $$;
    """,
]
