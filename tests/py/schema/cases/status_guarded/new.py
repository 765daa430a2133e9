"""A column becomes a status: a trigger refuses what is no transition. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table
from codegen.models.enums import Status


class LampStatus(Status):
    """A lamp."""

    OFF = "off"
    ON = "on"

    @classmethod
    def transitions(cls) -> dict[Status, tuple[Status, ...]]:
        return {cls.OFF: (cls.ON,)}


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    status: LampStatus = Field(description="Status")


ENUMS = {"lamp_status": LampStatus}
