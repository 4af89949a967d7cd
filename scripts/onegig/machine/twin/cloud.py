"""A cloud image as the twin's root: checked, never written to, and set up through cloud-init.

It boots with its own boot loader and kernel, and gets our service by the NoCloud source: a disk
labelled CIDATA (https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html).
"""

import hashlib
import json
from pathlib import Path

from onegig.errors import ConfigError
from onegig.files import absolute
from onegig.machine.twin import host, qemu
from onegig.model.measuring import TwinImage
from onegig.process import run

SEED_SECONDS = 60.0
_QCOW2 = b"QFI\xfb"
_EXTERNAL_DATA = 1 << 2  # of the incompatible features in qcow2's header, version 3


def check_image(image: TwinImage, budgets_path: str) -> qemu.Drive:
    """Return the image as a disk; ConfigError unless it is the file that budgets.yml asks for.

    An image that has its bytes from other files is refused: it could show the guest any file here.
    """
    path = absolute(Path(budgets_path).parent / image.image)
    try:
        if not path.is_file():
            raise ConfigError(
                f"twin.image: there is no file {path}",
                advice="write the path relative to budgets.yml",
            )
        with path.open("rb") as file:
            header = file.read(104)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(
            f"twin.image: {path} cannot be read: {error.strerror}", advice="make it readable"
        ) from error
    if digest != image.sha256.lower():
        raise ConfigError(
            f"twin.image: the SHA-256 of {path} is {digest}",
            advice="it differs from twin.sha256; compare it with the publisher's",
        )
    if not header.startswith(_QCOW2):
        return qemu.Drive(path=str(path), keep=True)
    if _refers_to_files(header):
        raise ConfigError(
            f"twin.image: {path} has a backing file or an external data file",
            advice="convert it into a single file: `qemu-img convert -O qcow2 IMAGE NEW`",
        )
    return qemu.Drive(path=str(path), kind="qcow2", keep=True)


def make_seed(folder: Path, unit: str) -> qemu.Drive:
    """Return the disk by which cloud-init adds a systemd unit and starts it. Raises ConfigError."""
    host.require_programs("genisoimage")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta-data").write_text("instance-id: onegig\nlocal-hostname: twin\n")
    (folder / "user-data").write_text(user_data(unit))
    seed = folder / "seed.iso"
    files = [str(folder / name) for name in ("meta-data", "user-data")]
    run(
        ["genisoimage", "-quiet", "-output", str(seed), "-volid", "CIDATA", "-rock", *files],
        timeout_seconds=SEED_SECONDS,
    )
    return qemu.Drive(path=str(seed), keep=True)


def user_data(unit: str) -> str:
    """Return cloud-init's configuration. JSON is YAML."""
    name = "onegig.service"
    config = {
        "package_update": False,
        "package_upgrade": False,
        "write_files": [{"path": f"/etc/systemd/system/{name}", "content": unit}],
        "runcmd": [
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "--now", "--no-block", name],
        ],
    }
    return f"#cloud-config\n{json.dumps(config, indent=1)}\n"


def _refers_to_files(header: bytes) -> bool:
    """Return whether a qcow2 file refers to others, see docs/interop/qcow2.txt of QEMU."""
    version = int.from_bytes(header[4:8], "big")
    backing = int.from_bytes(header[8:16], "big")
    features = int.from_bytes(header[72:80], "big") if version >= 3 else 0
    return bool(backing or features & _EXTERNAL_DATA)
