"""A function changes its shape under a check, an index, a policy and a trigger. After."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    size: int = Field(description="Size")


FUNCTIONS = [
    """
    CREATE FUNCTION app.f(m integer) RETURNS integer LANGUAGE sql IMMUTABLE SET search_path = '' AS $$ SELECT m + 1 $$;
    """,
    """
    ALTER TABLE app.things ADD CONSTRAINT things_f CHECK (app.f(size) > 0);
    """,
    """
    CREATE INDEX idx_things_f ON app.things (app.f(size));
    """,
    """
    CREATE POLICY own ON app.things TO geomill_api USING (app.f(size) > 0);
    """,
    """
    CREATE FUNCTION app.t() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$ BEGIN RETURN NEW; END $$;
    """,
    """
    CREATE TRIGGER trg_things BEFORE UPDATE ON app.things FOR EACH ROW WHEN (app.f(NEW.size) > 0) EXECUTE FUNCTION app.t();
    """,
]
