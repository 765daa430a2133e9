"""python -m codegen: models to SQL to database.

generate [--check]   write db/app, db/platform and docs/schema; --check only says what is stale (exit status 1)
docs                 write docs/schema alone
plan                 how the database differs from the models (exit status 2 if it does)
deploy               bring the database to the models
rebuild              wipe app and pgstac and make them again; requests, clients, keys and geo stay
redeploy-app         the same for app alone
redeploy-pgstac      the same for pgstac alone
stac-clear           empty the catalogue
verify               whether everything that deploy makes is there and as it should be (exit status 2 if not)
logins               give the roles logins, and write their connection strings
dsn ROLE             print a connection string
settings [NAME]      what is in force and where it comes from; of NAME the value alone
"""

from __future__ import annotations

import argparse
import sys
from typing import get_args

import psycopg

from codegen import deploy, generate, logins, plan, rebuild, settings, verify
from codegen.connection import ROLES, as_role, connect_to, resolve_dsn
from codegen.refusal import RefusedError
from codegen.version import CHECKOUT, version

DIFFERENT = 2
"""Exit status of a comparison that found something."""


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; the exit status."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except RefusedError as error:
        print(f"refused: {error}", file=sys.stderr)
    except psycopg.OperationalError as error:
        print(
            f"no connection: {str(error).strip()}\n  remedy: `make up` starts geomill's own server; GEOMILL_DSN names another",
            file=sys.stderr,
        )
    except psycopg.Error as error:
        print(f"failed, nothing was changed: {str(error).strip()}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m codegen", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("generate", help="write the generated SQL")
    command.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a file is stale")
    command.set_defaults(run=_generate)

    command = commands.add_parser("docs", help="write the documentation of the schemas, docs/schema, alone")
    command.set_defaults(run=_docs)

    command = commands.add_parser("deploy", help="bring the database to the models")
    command.add_argument("--no-cron", action="store_true", help="leave pg_cron alone, as in a test database")
    command.set_defaults(run=_deploy)

    command = commands.add_parser("plan", help="list how the database differs from the models")
    command.set_defaults(run=_plan)

    for kind in rebuild.SCHEMAS:
        command = commands.add_parser(kind, help=f"wipe {' and '.join(rebuild.SCHEMAS[kind])}, and make what was there again")
        command.add_argument("--force", action="store_true", help="although tasks are running: what they have done is lost")
        command.add_argument("--no-cron", action="store_true", help="leave pg_cron alone, as in a test database")
        _confirmable(command)
        command.set_defaults(run=_rebuild, kind=kind)

    command = commands.add_parser("stac-clear", help="empty the catalogue")
    command.add_argument("--mode", required=True, choices=get_args(rebuild.Mode), help="items, or collections with them")
    _confirmable(command)
    command.set_defaults(run=_clear)

    command = commands.add_parser("verify", help="check everything that deploy makes")
    command.add_argument("--no-cron", action="store_true", help="do not look for the job of pg_cron")
    command.set_defaults(run=_verify)

    command = commands.add_parser("logins", help="give the roles logins, and write their connection strings")
    command.set_defaults(run=_logins)

    command = commands.add_parser("dsn", help="print a connection string")
    command.add_argument("role", metavar="ROLE", help=", ".join(ROLES))
    command.set_defaults(run=_dsn)

    command = commands.add_parser("settings", help="print what is in force, and where it comes from")
    command.add_argument("name", metavar="NAME", nargs="?", help="one of them: its value alone")
    command.set_defaults(run=_settings)
    return parser


def _confirmable(command: argparse.ArgumentParser) -> None:
    command.add_argument("--confirm", action="store_true", help="without it, nothing is changed")
    command.add_argument("--dry-run", action="store_true", help="only say what would happen")


def _generate(parsed: argparse.Namespace) -> int:
    stale = generate.differing() if parsed.check else generate.write()
    for path in stale:
        print(f"{'stale' if parsed.check else 'written'}: {path.relative_to(CHECKOUT)}")
    if parsed.check and stale:
        print("run `python -m codegen generate`", file=sys.stderr)
        return 1
    return 0


def _docs(_: argparse.Namespace) -> int:
    for path in generate.write(generate.documents()):
        print(f"written: {path.relative_to(CHECKOUT)}")
    return 0


def _deploy(parsed: argparse.Namespace) -> int:
    dsn = resolve_dsn("superuser")
    print(f"deploy {version()} to {deploy.describe(dsn)}")
    deploy.deploy(dsn, lambda line: print(f"  {line}"), with_cron=not (parsed.no_cron or settings.settings().no_cron))
    return 0


def _rebuild(parsed: argparse.Namespace) -> int:
    asked = rebuild.Asked(parsed.confirm, parsed.dry_run, parsed.force, not (parsed.no_cron or settings.settings().no_cron))
    return rebuild.rebuild(parsed.kind, resolve_dsn("superuser"), asked, _say)


def _clear(parsed: argparse.Namespace) -> int:
    return rebuild.clear(parsed.mode, resolve_dsn("superuser"), rebuild.Asked(parsed.confirm, parsed.dry_run), _say)


def _say(line: str) -> None:
    # At once: whoever kills it knows where it stood.
    print(line, flush=True)


def _plan(_: argparse.Namespace) -> int:
    dsn = resolve_dsn("superuser")
    with connect_to(dsn, application_name="geomill plan") as connection:
        return _answer(plan.plan(connection), f"{deploy.describe(dsn)} is as the models say")


def _verify(parsed: argparse.Namespace) -> int:
    dsn = resolve_dsn("superuser")
    found = verify.verify(dsn, lambda line: print(f"  {line}"), with_cron=not (parsed.no_cron or settings.settings().no_cron))
    return _answer(found, f"{deploy.describe(dsn)} is as deploy makes it")


def _answer(found: list[str], agreement: str) -> int:
    for line in found:
        print(line)
    print(f"{len(found)} difference{'s' if len(found) > 1 else ''}" if found else agreement)
    return DIFFERENT if found else 0


def _logins(_: argparse.Namespace) -> int:
    logins.make_logins(resolve_dsn("superuser"), print)
    return 0


def _dsn(parsed: argparse.Namespace) -> int:
    print(resolve_dsn(as_role(parsed.role)))
    return 0


def _settings(parsed: argparse.Namespace) -> int:
    if parsed.name:
        print(settings.value(parsed.name))
        return 0
    for setting in settings.explained():
        print(f"{setting.variable}={setting.value}  ({setting.origin})\n    {setting.description}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
