"""TLS to real servers, whose certificates a certificate authority of the test has signed."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import pytest
from click.testing import CliRunner, Result

from onegig.cli import main
from servers import PROGRAMS, start

HOST = "127.0.0.1"
ADDRESSES = {"server": f"IP:{HOST}", "elsewhere": "DNS:cache.internal", "client": "DNS:client"}
NEW = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
SIGNED = ("-CA", "authority.pem", "-CAkey", "authority.key")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two authorities, and certificates that the first has signed."""
    folder = tmp_path_factory.mktemp("certificates")
    made = {"authority": (), "stranger": ()} | {
        name: (*SIGNED, "-addext", f"subjectAltName={address}")
        for name, address in ADDRESSES.items()
    }
    for name, options in made.items():
        files = ("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
        command = ["openssl", *NEW, *options, *files]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@contextmanager
def serving(folder: Path, certificates: Path, name: str, asks: str) -> Iterator[str]:
    """Yield the URL of a server with a certificate; `asks`: whether clients need one, too."""
    program = next(path for each in PROGRAMS if (path := shutil.which(each)))
    with create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    files = {"cert-file": f"{name}.pem", "key-file": f"{name}.key", "ca-cert-file": "authority.pem"}
    options = [x for key, file in files.items() for x in (f"--tls-{key}", str(certificates / file))]
    more = ("--tls-port", str(port), "--bind", HOST, "--tls-auth-clients", asks)
    process, server = start(program, folder, *options, *more)
    server.client.set("key:1", "x" * 1000)
    server.client.close()
    try:
        yield f"rediss://{HOST}:{port}"
    finally:
        process.kill()
        process.wait()


def run(url: str, trusted: str = "") -> Result:
    environment = {"SSL_CERT_FILE": trusted or None}
    return CliRunner().invoke(main, ["redis", "audit", url, "--quiet"], env=environment)


CASES = {  # certificate, need of clients', query of the URL, SSL_CERT_FILE; exit code, message
    "CA in the URL": ("server", "no", "?ssl_ca_certs={0}/authority.pem", "", 0, "key:"),
    "CA of the machine": ("server", "no", "", "{0}/authority.pem", 0, "key:"),
    "client's certificate": (
        "server",
        "yes",
        "?ssl_ca_certs={0}/authority.pem&ssl_certfile={0}/client.pem&ssl_keyfile={0}/client.key",
        "",
        0,
        "key:",
    ),
    "unknown CA": ("server", "no", "", "", 4, "certificate that is not trusted: self-signed"),
    "another CA": ("server", "no", "", "{0}/stranger.pem", 4, "certificate that is not trusted"),
    "another host": (
        "elsewhere",
        "no",
        "?ssl_ca_certs={0}/authority.pem",
        "",
        4,
        "certificate is not valid for '127.0.0.1'",
    ),
    "client without a certificate": (
        "server",
        "yes",
        "?ssl_ca_certs={0}/authority.pem",
        "",
        4,
        "add ?ssl_certfile=FILE&ssl_keyfile=FILE to the URL",
    ),
    "missing file": (
        "server",
        "no",
        "?ssl_ca_certs={0}/nothing.pem",
        "",
        4,
        "certificate's file that does not exist",
    ),
}


@pytest.mark.skipif(not any(map(shutil.which, PROGRAMS)), reason="needs a server")
@pytest.mark.parametrize("case", CASES)
def test_tls_is_trusted_or_refused_with_a_reason(
    case: str, tmp_path: Path, certificates: Path
) -> None:
    name, asks, query, trusted, code, message = CASES[case]
    with serving(tmp_path, certificates, name, asks) as url:
        result = run(url + query.format(certificates), trusted.format(certificates))
    assert result.exit_code == code, result.output
    assert message in " ".join(result.output.split())
