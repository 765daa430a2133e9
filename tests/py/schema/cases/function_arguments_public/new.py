"""Other arguments of a function that others may call. After."""

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
    CREATE FUNCTION app.f(n integer, m integer) RETURNS integer LANGUAGE sql SET search_path = '' AS $$ SELECT n + m $$;
    """,
    """
    GRANT EXECUTE ON FUNCTION app.f(integer, integer) TO geomill_worker;
    """,
]
