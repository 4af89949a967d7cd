"""`onegig schema`: the JSON Schemas of what onegig reads and writes."""

import json
from importlib.resources import files
from pathlib import Path

import click

from onegig.commands.options import SOME_FILE
from onegig.commands.output import print_or_write
from onegig.model.codec import DOCUMENTS, json_schema

BUDGETS = "budgets"
DOCUMENT_KINDS = {schema.split("/")[1]: kind for schema, kind in DOCUMENTS.items()}


@click.command()
@click.argument("name", type=click.Choice((BUDGETS, *DOCUMENT_KINDS)))
@click.option("--output", type=SOME_FILE, help="Write here, not to stdout.")
def schema(*, name: str, output: Path | None) -> None:
    """Print the JSON Schema of budgets.yml or of a document that onegig writes."""
    if name == BUDGETS:
        text = files("onegig").joinpath("schemas", "budgets.schema.json").read_text("utf-8")
    else:
        text = json.dumps(json_schema(DOCUMENT_KINDS[name]), indent=2) + "\n"
    print_or_write(text, output)
