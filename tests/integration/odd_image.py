"""An image with all that layers can have, built by an engine's own builder.

What builders make of it differs. The classic image store notes a directory that was removed and
made again as opaque, where the containerd store lists what is gone from it; a hard link to a lower
layer's file comes with that file again on the one, and alone, as a copy, on the other.
"""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from onegig.process import run
from small_image import SMALL_IMAGE

_LONG = b"/".join([b"d" * 120, "é".encode() * 60, b"x" * 100])
NAMES = (
    *(b"new\nline", b"caf\xe9", b"\xff\xfe", b"\x01\x7f", "語".encode(), b"n" * 255, b"a=b"),
    *(b"back\\slash", b" both ends ", b"-dash", b"..two", b"star*", b"quote'\"", _LONG + b"/file"),
)
"""What files in o/names are called, and some in o/lost were, each of 100 bytes."""

_MADE = """RUN <<EOF
set -e
mkdir -p /o/tree/deep /o/again/below /o/to-file/in /o/to-link/in /o/emptied /o/kept /o/swap
cd /o
text() { yes "$1" | head -c "$2"; }
text 1 50000 >tree/deep/a
text 2 20000 >tree/b
text 3 10000 >again/old
text 4 11000 >again/same
text 5 12000 >again/below/old
text 6 13000 >to-file/in/a
text 7 14000 >to-link/in/a
text 8 15000 >linked
ln linked kept/link
ln linked swap/link
text 9 16000 >changed-mode
text 10 17000 >changed-owner
text 11 18000 >touched
text 12 19000 >alone
text 13 20000 >comes-and-goes
text 14 21000 >replaced
text 15 22000 >emptied/a
text 16 23000 >renamed
text 17 24000 >to-directory
EOF"""
_NAMED = """RUN <<EOF
set -e
for folder in /o/names /o/lost; do
    for name in {names}; do
        path="$folder/$(printf "$name")"
        mkdir -p "$(dirname "$path")"
        yes "$name" | head -c 100 >"$path"
        ln -s "$path" "$folder/to $(printf "$name" | head -c 200 | tr / -)"
    done
    ln "$path" "$(dirname "$path")/link"
done
EOF""".format(names=" ".join("".join(f"\\\\{byte:03o}" for byte in name) for name in NAMES))

STEPS: tuple[tuple[str, int], ...] = (
    (_MADE, 0),
    ("RUN rm -rf /o/tree", 70_000),
    ("RUN cd /o; rm -rf again; mkdir again; yes 4 | head -c 11000 >again/same", 33_000),
    ("RUN rm -rf /o/to-file && echo 1 >/o/to-file", 13_000),
    ("RUN rm -rf /o/to-link && ln -s kept /o/to-link", 14_000),
    ("RUN rm -rf /o/swap && ln -s /etc /o/swap", 0),  # its file has another name
    ("RUN rm /o/linked", 0),  # and one more
    ("RUN chmod 600 /o/changed-mode", 16_000),
    ("RUN chown 3000000:3000001 /o/changed-owner", 17_000),  # more than fits into a tar's field
    ("RUN touch -d 1950-01-01 /o/touched", 18_000),
    ("RUN truncate -s 3M /o/sparse && echo end >>/o/sparse", 0),
    ("RUN mkfifo /o/fifo && mknod /o/null c 1 3 && mknod /o/loop b 7 0", 0),
    ("RUN true", 0),
    ("RUN rm /o/comes-and-goes", 20_000),
    ("RUN yes 13 | head -c 20000 >/o/comes-and-goes", 0),
    ("RUN rm /o/replaced && echo 2 >/o/replaced", 21_000),
    ("RUN rm /o/emptied/a", 22_000),
    ("RUN mv /o/renamed /o/renamed-now", 23_000),
    ("RUN rm /o/to-directory && mkdir /o/to-directory && echo 3 >/o/to-directory/in", 24_000),
    (_NAMED, 0),
    ("ADD attributes.tar /o/", 0),
    ("RUN chmod 640 /o/attributes/file", 1_500),
    ("COPY some /o/to-link/", 0),  # through the link
    ("COPY --link some/a /o/kept/", 400),
    ("RUN rm /o/lost/nnnnn*", 100),
    ("WORKDIR /o/made/by/workdir", 0),
    ("RUN rm -rf /o/lost && mkdir /o/lost", 100 * (len(NAMES) - 1)),
)
"""Instructions, each with the bytes of lower layers that it kills."""

LINKED = ("RUN ln /o/alone /o/second", 19_000)
"""The same where the file comes with its link."""


def build_odd(
    reference: str,
    folder: Path,
    *,
    more: Sequence[str] = (),
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """Build it on the engine of `environment`: a base of one layer, STEPS, LINKED, then `more`."""
    (folder / "some").mkdir()
    for name in "ab":
        (folder / "some" / name).write_bytes(name.encode() * 400)
    (folder / "attributes.tar").write_bytes(_attributes())
    steps = [instruction for instruction, _ in (*STEPS, LINKED)]
    (folder / "Dockerfile").write_text("\n".join([f"FROM {SMALL_IMAGE}", *steps, *more]))
    command = ["docker", "build", "--quiet", "--tag", reference, *options, str(folder)]
    run(command, env=environment, timeout_seconds=300)


def _attributes() -> bytes:
    """A tar of a file with a capability and with an attribute that reads like a record of PAX."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("attributes/file")
        member.size = 1500
        member.pax_headers = {
            "SCHILY.xattr.user.note": "a=b\n12 path=c\n",
            "SCHILY.xattr.security.capability": "\1\0\0\2\0\4" + 14 * "\0",
        }
        tar.addfile(member, io.BytesIO(b"x" * 1500))
    return out.getvalue()
