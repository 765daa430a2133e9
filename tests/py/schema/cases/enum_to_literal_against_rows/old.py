"""An enum becomes a Literal that does not have one of its values. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table
from codegen.models.enums import DatabaseEnum


class Colour(DatabaseEnum):
    """A colour."""

    RED = "red"
    GREEN = "green"


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    colour: Colour = Field(description="Colour")


ENUMS = {"colour": Colour}
