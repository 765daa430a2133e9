"""A label goes; a default, a check, a partial index, a policy and a function name the type. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Check, Column, Index, Policy, Table, table
from codegen.models.enums import DatabaseEnum


class Colour(DatabaseEnum):
    """A colour."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(
        schema="app",
        name="things",
        checks=[Check("things_known", "colour <> 'blue' OR thing_id > 0")],
        indexes=[Index(("thing_id",), where="colour = 'red'", name="idx_things_red")],
        policies=[Policy("reds", "geomill_api", "colour = 'red'")],
    )

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    colour: Colour = Field(default=Colour.RED, description="Colour")


ENUMS = {"colour": Colour}

FUNCTIONS = [
    """
    CREATE FUNCTION app.paint(colour app.colour) RETURNS app.colour LANGUAGE sql SET search_path = '' AS $$ SELECT colour $$;
    """,
]
