"""python -m codegen: models to SQL to database.

generate [--check]   write db/app, db/platform and docs/schema, docs/reference; --check only says what is stale (exit status 1)
docs                 write docs/schema alone
plan                 the steps from the database to the models, with locks, hazards and the way back (exit status 2 if there are any)
deploy               carry the plan out; without one, plan and carry out
rollback             take the last deploy back
compare              how the generated schema differs from the one that was deployed before, offline
rebuild              wipe app and pgstac and make them again; requests, clients, keys and geo stay
redeploy-app         the same for app alone
redeploy-pgstac      the same for pgstac alone
stac-clear           empty the catalogue
pull                 the other way round: what the models would have to say for the database as it is (exit status 2 if anything)
verify               whether everything that deploy makes is there and as it should be (exit status 2 if not)
logins               give the roles logins, and write their connection strings
dsn ROLE             print a connection string
settings [NAME]      what is in force and where it comes from; of NAME the value alone
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

import psycopg

from codegen import compare, deploy, generate, logins, plan, plan_file, pull, rebuild, rollback, settings, verify
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

    command = commands.add_parser("plan", help="the steps from the database to the models")
    command.add_argument("--out", type=Path, metavar="FILE", help="write the plan there instead of where deploy looks for it")
    command.add_argument("--scripts", type=Path, metavar="FOLDER", help="also write scripts for psql: the way there, and the way back")
    _add_allow(command)
    command.set_defaults(run=_plan)

    command = commands.add_parser("deploy", help="bring the database to the models")
    command.add_argument("--no-cron", action="store_true", help="leave pg_cron alone, as in a test database")
    command.add_argument("--plan", type=Path, metavar="FILE", help="the plan to carry out, if not the one that was made last")
    command.add_argument("--replan", action="store_true", help="whatever plan was made before: plan anew, and carry that out")
    command.add_argument("--dry-run", action="store_true", help="show the plan, and change nothing")
    _add_allow(command)
    command.set_defaults(run=_deploy)

    command = commands.add_parser("rollback", help="take the last deploy back")
    command.add_argument("--dry-run", action="store_true", help="show the steps, and change nothing")
    _add_allow(command)
    command.set_defaults(run=_rollback)

    command = commands.add_parser("compare", help="how the generated schema differs from the one deployed before, without a server")
    command.add_argument("old", type=Path, nargs="?", help="a schema that deploy kept; default: the last that is another")
    command.add_argument("new", type=Path, nargs="?", help="another; default: what the models say now")
    command.set_defaults(run=_compare)

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

    command = commands.add_parser("pull", help="what the models would have to say for the database as it is")
    command.set_defaults(run=_pull)

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


def _add_allow(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--allow", action="append", default=[], metavar="HAZARD:OBJECT", help="a hazard that is meant, as the plan names it"
    )


def _deploy(parsed: argparse.Namespace) -> int:
    dsn = resolve_dsn("superuser")
    if parsed.dry_run:
        with connect_to(dsn, application_name="geomill plan") as connection:
            print("\n".join(plan_file.listing(plan.plan(connection, allowed=parsed.allow))))
        return 0
    print(f"deploy {version()} to {deploy.describe(dsn)}")
    with connect_to(dsn, application_name="geomill deploy") as connection:
        kept = parsed.plan or plan_file.path_for(plan.database(connection))
    plan_id = None if parsed.replan else plan_file.kept_id(kept)
    if parsed.plan is not None and plan_id is None:
        raise RefusedError("--plan", f"{parsed.plan} is not there", "run `python -m codegen plan --out FILE` first")
    with_cron = not (parsed.no_cron or settings.settings().no_cron)
    deploy.deploy(dsn, lambda line: print(f"  {line}"), with_cron=with_cron, allowed=parsed.allow, plan_id=plan_id)
    kept.unlink(missing_ok=True)
    return 0


def _rebuild(parsed: argparse.Namespace) -> int:
    asked = rebuild.Asked(parsed.confirm, parsed.dry_run, parsed.force, not (parsed.no_cron or settings.settings().no_cron))
    return rebuild.rebuild(parsed.kind, resolve_dsn("superuser"), asked, _say)


def _clear(parsed: argparse.Namespace) -> int:
    return rebuild.clear(parsed.mode, resolve_dsn("superuser"), rebuild.Asked(parsed.confirm, parsed.dry_run), _say)


def _say(line: str) -> None:
    # At once: whoever kills it knows where it stood.
    print(line, flush=True)


def _plan(parsed: argparse.Namespace) -> int:
    dsn = resolve_dsn("superuser")
    with connect_to(dsn, application_name="geomill plan") as connection:
        made = plan.plan(connection, allowed=parsed.allow)
        path = parsed.out or plan_file.path_for(made.database)
    for line in plan_file.listing(made):
        print(line)
    plan_file.keep(made, path)
    if not made:
        print(f"{deploy.describe(dsn)} is as the models say")
        return 0
    if parsed.scripts is not None:
        for script in plan_file.write_scripts(made, parsed.scripts, f"{settings.settings().deploy_lock_timeout_ms}ms"):
            print(f"written: {script}")
    print(f"plan {made.id[:12]} is kept: `python -m codegen deploy` carries out this one, or refuses ({path})")
    return DIFFERENT


def _rollback(parsed: argparse.Namespace) -> int:
    dsn = resolve_dsn("superuser")
    print(f"roll back {deploy.describe(dsn)}")
    rollback.rollback(dsn, lambda line: print(f"  {line}"), allowed=parsed.allow, dry_run=parsed.dry_run)
    return 0


def _compare(parsed: argparse.Namespace) -> int:
    found = compare.compare(parsed.old, parsed.new)
    for line in found:
        print(line)
    return DIFFERENT if found else 0


def _pull(_: argparse.Namespace) -> int:
    dsn = resolve_dsn("superuser")
    with connect_to(dsn, application_name="geomill pull") as connection:
        found = list(pull.listing(pull.pull(connection)))
    print("\n".join(found) if found else f"{deploy.describe(dsn)} is as the models say")
    return DIFFERENT if found else 0


def _verify(parsed: argparse.Namespace) -> int:
    dsn = resolve_dsn("superuser")
    found = verify.verify(dsn, lambda line: print(f"  {line}"), with_cron=not (parsed.no_cron or settings.settings().no_cron))
    verify.record(dsn, found)
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
