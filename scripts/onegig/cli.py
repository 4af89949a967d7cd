"""The command line: find the command, run it, turn errors into messages and exit codes."""

import errno
import io
import os
import sys
from importlib import import_module
from typing import Any

import click

from onegig import __version__
from onegig.commands.options import TYPED, typed_command
from onegig.commands.output import print_error
from onegig.errors import ConfigError, ExitCode, OnegigError
from onegig.text import plain

COMMANDS = {  # the module of each, imported when its command is run
    "check": "check",
    "build": "check",
    "inspect": "check",
    "measure": "check",
    "imports": "imports",
    "redis": "redis",
    "judge": "check",
    "plan": "plan",
    "tiers": "tiers",
    "render": "check",
    "init": "init",
    "doctor": "github",
    "comment": "github",
    "publish": "github",
    "shards": "github",
    "dockerfile": "dockerfile",
    "install-trivy": "tools",
    "schema": "tools",
}
EXIT_CODES = """\b
Exit codes:
  0    GO or WARN
  1    NO-GO
  2    bad configuration or usage
  3    build or boot failed, or no usable engine
  4    INCOMPLETE: something could not be measured
  70   a bug in onegig
  130  interrupted
"""


class Root(click.Group):
    """Group that imports commands when needed and turns errors into messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands, the most frequently used first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"onegig.commands.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        if cmd_name in ("check", "judge"):
            command.epilog = EXIT_CODES
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Store the command line, so that reports can print how to reproduce them."""
        ctx.meta[TYPED] = typed_command(args, os.environ)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; print what happened, the command that failed and what to do next."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # not every terminal has every character
        try:
            return super().invoke(ctx)
        except OnegigError as error:
            print_error(error)
            ctx.exit(error.exit_code)
        except ModuleNotFoundError as error:
            what = f"`onegig {ctx.invoked_subcommand}` needs {error.name}"
            advice = "install onegig again with all its dependencies"
            print_error(ConfigError(f"{what}, which is not installed here", advice=advice))
            ctx.exit(ExitCode.CONFIG)
        except KeyboardInterrupt:
            click.echo("interrupted; containers and files were cleaned up", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            code = _stop_writing(error)
            if code is None and os.environ.get("ONEGIG_TRACEBACK"):
                raise
            ctx.exit(_report_bug(error) if code is None else code)


def _stop_writing(error: Exception) -> ExitCode | None:
    """Return the exit code if output can't be written; None for any other error."""
    number = error.errno if isinstance(error, OSError) else None
    if number not in (errno.EPIPE, errno.ENOSPC, errno.EDQUOT):
        return None
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest at exit
    if number == errno.EPIPE:  # `onegig tiers | head`
        return ExitCode.INTERRUPTED
    print_error(
        OnegigError("the disk is full", advice="make room and run again", detail=str(error))
    )
    return OnegigError.exit_code


def _report_bug(error: Exception) -> ExitCode:
    click.echo(
        f"onegig has a bug: {type(error).__name__}: {plain(str(error))}\n"
        "ONEGIG_TRACEBACK=1 shows where; please report it with the command you ran.",
        err=True,
    )
    return ExitCode.BUG


SETTINGS = {"max_content_width": 100, "show_default": True}


@click.group(cls=Root, epilog=EXIT_CODES, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="onegig")
def main() -> None:
    """Will this compose stack fit a one-gigabyte cloud machine? onegig measures it."""


if __name__ == "__main__":
    main()
