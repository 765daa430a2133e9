"""What the environment decides: dev, test or prod, and what each may do by itself.

A value comes from the first of these that has it: the variable GEOMILL_<NAME>; the same name in the file geomill.env of
$GEOMILL_HOME; the default of GEOMILL_ENVIRONMENT; the default. An empty variable counts as none. They are read at each call of
`settings()`, so that nothing old is left over in a long process or in a test. Connection strings are no settings: they hold
passwords, and codegen/connection.py looks for them; geomill.env can be shown to anybody.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from codegen.refusal import RefusedError
from codegen.version import CHECKOUT

Environment = Literal["dev", "test", "prod"]
Identity = Literal["auto", "user", "system", "none"]

PREFIX = "GEOMILL_"
FILE = "geomill.env"

BY_ENVIRONMENT: Mapping[str, Mapping[str, Any]] = {
    "dev": {"auto_deploy": True, "backup_before_deploy": True},
    "test": {"auto_deploy": True, "backup_before_deploy": False},
    "prod": {"auto_deploy": False, "backup_before_deploy": True},
}
"""Defaults that are others in another environment."""


class Settings(BaseSettings):
    """Everything but connection strings that codegen and every connection take from the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    environment: Environment = Field(default="dev", description="What this installation is for")
    home: Annotated[Path, AfterValidator(Path.resolve)] = Field(
        default=CHECKOUT / ".geomill", description="What belongs to this checkout: connection strings, storage, perhaps a cluster"
    )
    auto_deploy: bool = Field(description="Whether `make up` deploys without asking")
    backup_before_deploy: bool = Field(description="Whether a deploy first keeps the schema, and what it would destroy")
    validate_generated: bool = Field(default=True, description="Whether a deploy has plpgsql_check look at every function once it is done")
    no_cron: bool = Field(default=False, description="Leave pg_cron alone: for databases that come and go, which its jobs would outlive")
    deploy_lock_timeout_ms: int = Field(default=500, ge=1, le=500, description="How long a deploy waits for a lock of live work")
    deploy_attempts: int = Field(default=20, ge=1, le=1000, description="How often a deploy that met a lock begins again")
    deploy_queue_seconds: int = Field(default=60, ge=1, le=3600, description="How long a deploy or plan waits for another one")
    pooler: bool = Field(default=False, description="Connections lead to a transaction pooler: no statement is prepared on the server")

    identity: Identity = Field(
        default="auto", description="Managed identity that connects: user- or system-assigned, none; auto takes the one that is there"
    )
    identity_client_id: str | None = Field(default=None, min_length=1, description="Client id of the user-assigned managed identity")
    identity_login: str | None = Field(
        default=None, min_length=1, max_length=63, description="Login of the managed identity, where the connection string names no user"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, geomill.env, the defaults of the environment's kind."""
        del init_settings, dotenv_settings, file_secret_settings
        return env_settings, _FromFile(settings_cls), _ByEnvironment(settings_cls)


class _Source(PydanticBaseSettingsSource):
    """One that answers for all fields at once."""

    def get_field_value(self, *_: Any) -> tuple[Any, str, bool]:
        return None, "", False


class _FromFile(_Source):
    """What geomill.env says."""

    def __call__(self) -> dict[str, Any]:
        return dict(_given(_file()))


class _ByEnvironment(_Source):
    """BY_ENVIRONMENT, as the last of the sources."""

    def __call__(self) -> dict[str, Any]:
        environment = self.current_state.get("environment", "dev")
        # Of an environment that does not exist the refusal is about that name, not about what it would have decided.
        return dict(BY_ENVIRONMENT.get(environment, BY_ENVIRONMENT["dev"]))


class Explained(NamedTuple):
    """One setting in force."""

    variable: str
    value: str
    origin: str
    description: str


def settings() -> Settings:
    """What is in force now. Refused where a value is not one that its variable can have."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        raise _refused(field, first) from error


def explained() -> list[Explained]:
    """Each setting with its value and where that came from, for people."""
    current = settings()
    file = _file()
    given = _given(file)
    return [
        Explained(variable(name), _shown(getattr(current, name)), _origin(name, current, file, given), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def value(name: str) -> str:
    """One setting's value as its variable would have it, by the setting's name or its variable's."""
    setting = name.lower().removeprefix(PREFIX.lower())
    if setting not in Settings.model_fields:
        raise RefusedError(f"settings {name}", "there is no such setting", f"use one of {', '.join(Settings.model_fields)}")
    return _shown(getattr(settings(), setting))


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def _file() -> Path:
    """geomill.env of the home that the environment names: the file cannot say where it lies."""
    return Path(os.environ.get(variable("home")) or CHECKOUT / ".geomill") / FILE


def _given(file: Path) -> dict[str, str]:
    """What the file says, by setting."""
    if not file.is_file():
        return {}
    names = {variable(name): name for name in Settings.model_fields if name != "home"}
    given = {}
    for key, value in dotenv_values(file, interpolate=False).items():
        if key not in names:
            raise RefusedError(f"{key} in {file}", "is no setting that this file can have", f"use one of {', '.join(names)}")
        if value:
            given[names[key]] = value
    return given


def _refused(name: str, problem: Mapping[str, Any]) -> RefusedError:
    file = _file()
    given = os.environ.get(variable(name))
    where = f"{variable(name)}={given}" if given else f"{variable(name)}={_given(file).get(name)} in {file}"
    return RefusedError(where, str(problem["msg"]), f"{_possible(name)}, or leave it out")


def _possible(name: str) -> str:
    field = Settings.model_fields[name]
    if choices := get_args(field.annotation) if name in ("environment", "identity") else ():
        return f"use one of {', '.join(choices)}"
    if field.annotation is bool:
        return "use 1 or 0"
    limits = [f"{word} {getattr(limit, key)}" for limit in field.metadata for key, word in _LIMITS.items() if hasattr(limit, key)]
    return f"use a number {' and '.join(limits)}" if field.annotation is int else f"use a text {' and '.join(limits)}"


_LIMITS = {"ge": "of at least", "le": "of at most", "min_length": "not shorter than", "max_length": "not longer than"}


def _origin(name: str, current: Settings, file: Path, given: Mapping[str, str]) -> str:
    if os.environ.get(variable(name)):
        return "environment"
    if name in given:
        return str(file)
    if name in BY_ENVIRONMENT[current.environment]:
        return f"default in {current.environment}"
    return "default"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)
