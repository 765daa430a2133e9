"""A label has another name: rows keep it. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table
from codegen.models.enums import DatabaseEnum


class Colour(DatabaseEnum):
    """A colour."""

    CRIMSON = "crimson"
    GREEN = "green"

    @classmethod
    def renamed_labels(cls) -> dict[str, str]:
        return {"red": "crimson"}


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    colour: Colour = Field(default=Colour.CRIMSON, description="Colour")


ENUMS = {"colour": Colour}
