"""`onegig redis audit`: where a Redis's memory goes, and what would save some."""

import json
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from onegig import pipeline
from onegig.commands.options import EXISTING_FILE, SOME_FILE, progress_options, project_options
from onegig.commands.output import terminal_width
from onegig.errors import ConfigError, ExitCode
from onegig.files import write_file
from onegig.model.codec import to_json
from onegig.model.options import Options
from onegig.model.redis import DEFAULT_SAMPLE, MOST_FULL, RedisAudit
from onegig.model.sizes import Convention, size
from onegig.progress import Progress
from onegig.report.layout import print_parts
from onegig.report.redis import show
from onegig.text import plain

if TYPE_CHECKING:  # the jobs that comment have no redis-py, and still list the commands
    from onegig.redis.audit import AuditOptions

PASSWORD = "ONEGIG_REDIS_PASSWORD"  # noqa: S105 - the variable's name
LABELS = ("com.docker.compose.project", "com.docker.compose.service")


@click.group()
def redis() -> None:
    """Examine Redis and Valkey servers."""


def _limit(_context: click.Context, _param: click.Parameter, text: str | None) -> int:
    try:
        return size(text, Convention.MEMORY) if text else 0
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@redis.command()
@click.argument("target")
@project_options
@click.option("--user", default="", help="User name, if not the default user.")
@click.option("--password-file", type=EXISTING_FILE, help="File that contains the password.")
@click.option(
    "--sample",
    type=click.IntRange(min=100),
    help=f"Number of random keys to read of each database. Default: all of up to {MOST_FULL:,} "
    f"keys, otherwise {DEFAULT_SAMPLE:,}.",
)
@click.option("--full", is_flag=True, help="Read all keys, regardless of their number.")
@click.option(
    "--replay",
    is_flag=True,
    help="Measure the savings with samples in a temporary server of the same version, instead "
    "of predicting them.",
)
@click.option(
    "--fail-over",
    "limit_bytes",
    metavar="SIZE",
    callback=_limit,
    help="Exit with 1 if used memory exceeds this, such as 90MB.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--output", type=SOME_FILE, help="Also write the JSON here.")
@progress_options
def audit(
    *,
    target: str,
    options: Options,
    user: str,
    password_file: Path | None,
    sample: int | None,
    full: bool,
    replay: bool,
    limit_bytes: int,
    as_json: bool,
    output: Path | None,
    progress: Progress,
) -> None:
    """Show where the memory of a Redis or Valkey server goes, by pattern of key names.

    TARGET is a URL (redis://HOST:6379, rediss://HOST, unix:///PATH) or a service of the compose
    project, which must be running. The server is only read, in batches of a few milliseconds; a
    read-only user (`+@read ~*`) is enough. Give the password in a file, in
    ONEGIG_REDIS_PASSWORD or in the URL; a service's own is found in the project.
    """
    from onegig.redis.audit import AuditOptions
    from onegig.redis.audit import audit as audit_address
    from onegig.redis.connect import Address

    if full and sample:
        raise click.UsageError("--full and --sample exclude each other")
    asked = AuditOptions(sample=sample, full=full, limit_bytes=limit_bytes, replay=replay)
    password = _password(password_file)
    with progress.step(f"audit {_shown(target)}"):
        if "://" in target:
            address = Address(url=target, username=user, password=password)
            document = audit_address(address, options=asked)
        else:
            document = _audit_service(target, options, user, password, asked)
    if output:
        write_file(output, to_json(document))
    if as_json:
        click.echo(to_json(document), nl=False)
    else:
        width, color = terminal_width(), progress.color and sys.stdout.isatty()
        click.echo(
            print_parts(show(document, width), width=width, color=color), nl=False, color=color
        )
    _exit(document)


def _shown(target: str) -> str:
    from onegig.redis.connect import Address

    return str(Address(url=target)) if "://" in target else plain(target)


def _password(file: Path | None) -> str:
    if file:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    return os.environ.get(PASSWORD, "")


def _audit_service(
    service: str, options: Options, user: str, password: str, asked: "AuditOptions"
) -> RedisAudit:
    from onegig.engine.engine import connect
    from onegig.redis.audit import audit as audit_address
    from onegig.redis.credentials import read_clues
    from onegig.redis.service import audit_service, find_address

    _, stack = pipeline.load(options)
    names = [each.name for each in stack.services]
    if service not in names:
        raise ConfigError(
            f"the project has no service {plain(service)}",
            advice=f"give a redis:// URL or one of: {plain(', '.join(names))}",
        )
    with connect() as engine:
        labels = (f"{LABELS[0]}={stack.name}", f"{LABELS[1]}={service}")
        containers = engine.inspect(*labels)
    address = find_address(service, containers)
    image = str(containers[0]["Image"])
    run = partial(audit_address, options=replace(asked, image=image))
    if user or password:
        return run(replace(address, username=user, password=password))
    clues = read_clues(service, containers[0], json.loads(stack.config_json))
    return audit_service(address, clues, run)


def _exit(document: RedisAudit) -> None:
    """End with the exit code for the limit. Raises RedisError where it can't be judged."""
    over = document.is_over
    if document.limit_bytes and not document.servers and not over:
        from onegig.redis.connect import RedisError

        raise RedisError(
            f"{document.target}: used memory is not known, as INFO is denied",
            command="INFO memory",
            advice="permit it: ACL SETUSER USER +info",
        )
    click.get_current_context().exit(ExitCode.NO_GO if over else ExitCode.OK)
