"""The gate's artifact, made by whatever code a pull request brought: read as bytes, never run.

The zip stays in memory, its JSON files are read with bounds on everything, and what does not
hold together is refused as a whole. What passes is well formed, not true: verdicts are made again
from it by limits the pull request has no hand in.

Two parsers may read one text differently if it is not quite JSON (duplicate keys, NaN, huge
numbers): that is refused, so what passes means the same to all of them.
"""

import io
import json
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any, NoReturn, TypeVar

from onegig.errors import ArtifactError, ConfigError, GithubError
from onegig.github.client import GONE, Client
from onegig.github.job import ARTIFACT
from onegig.github.trusted.plan import doubt_plan
from onegig.github.trusted.plausibility import (
    doubt_images,
    doubt_memory,
    doubt_run,
    service_names,
)
from onegig.github.trusted.runs import PULL_REQUEST, SUCCESS, GateRun
from onegig.model.codec import DOCUMENTS, from_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.plan import NO_PLAN, Plan
from onegig.model.report import RunReport
from onegig.text import plain

MOST_ARTIFACTS = 1000
MOST_BYTES = 8 * 1024**2  # of the zip
MOST_FILE_BYTES = {
    "run.json": 256 * 1024,
    "images.json": 16 * 1024**2,  # fifteen images with thousands of findings each
    "memory.json": 16 * 1024**2,
    "plan.json": 4 * 1024**2,
}
MOST_RATIO = 200  # of a file from MIN_RATIO_BYTES on; what onegig writes stays below 100
MIN_RATIO_BYTES = 4 * 1024**2
MOST_NUMBER = 2**50  # a petabyte, thirty million years: nothing measured is larger
SIGNED = ("unexplained_bytes",)  # of what was measured; a plan's numbers may all be negative
MOST_DIGITS = 24
MOST_CHARACTERS = 65_536  # of one string: a log's tail
MOST_VALUES = 500_000  # two thousand services at 15 s of 10 Hz are 300,000
MOST_OBJECTS = 100_000  # each may be wrong in many ways, and every one is noted
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR_64, _LOCATOR_64_BYTES = b"PK\x06\x07", 20
_MOST_DIRECTORY_BYTES = 4096  # three entries take less than 500
_USED_NOTHING = "they were not used; run the gate again and read its log"

D = TypeVar("D", RunReport, ImagesReport, MemoryReport, Plan)


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """The numbers that a run claims; `run` is None and all is missing if it left none."""

    run: RunReport | None
    images: ImagesReport | Missing
    memory: MemoryReport | Missing
    plan: Plan | Missing = NO_PLAN


def no_numbers(reason: str) -> Numbers:
    """Return the numbers of a run that left none."""
    return Numbers(run=None, images=Unknown(reason=reason), memory=Unknown(reason=reason))


def fetch_numbers(
    client: Client, run: GateRun, name: str = ARTIFACT, *, trigger: str = PULL_REQUEST
) -> Numbers:
    """Return the numbers of the run that `trigger` is about.

    Raises ArtifactError when its numbers are refused: that is never the same as no numbers.
    """
    artifacts = list(_of_this_attempt(client, run, name))
    if not artifacts:
        if run.conclusion == SUCCESS:
            return no_numbers("the gate succeeded, but uploaded no numbers")
        return no_numbers(f"the gate ended as {run.conclusion} before it measured")
    newest = max(artifacts, key=lambda item: int(item["id"]))
    if newest["expired"]:
        return no_numbers("the gate's numbers have expired: run it again")
    data = _download(client, newest)
    if data is None:
        return no_numbers("the gate's numbers have been deleted: run it again")
    numbers = read_artifact(data)
    claim = numbers.run
    if claim is None or claim.head_sha != run.head_sha or claim.event != trigger:
        raise _refusal("run.json is about another commit or event")
    return numbers


def _of_this_attempt(client: Client, run: GateRun, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield artifacts of that name, without those of earlier attempts, which stay listed."""
    started = datetime.fromisoformat(run.started)
    path = f"actions/runs/{run.id}/artifacts"
    for artifact in client.pages(path, key="artifacts", most=MOST_ARTIFACTS, name=name):
        created = artifact["created_at"]
        if artifact["name"] == name and created and datetime.fromisoformat(created) >= started:
            yield artifact


def _download(client: Client, artifact: Mapping[str, Any]) -> bytes | None:
    """Return the zip; None when it is gone."""
    if artifact["size_in_bytes"] > MOST_BYTES:
        raise _refusal(f"they are larger than {MOST_BYTES:,} bytes")
    try:
        data = client.download(f"actions/artifacts/{artifact['id']}/zip", most_bytes=MOST_BYTES)
    except GithubError as error:
        if error.status in GONE:
            return None
        raise
    digest = artifact.get("digest")
    if digest and digest != f"sha256:{sha256(data).hexdigest()}":
        raise _refusal("they differ from those that were uploaded", advice="run this job again")
    return data


def read_artifact(data: bytes) -> Numbers:
    """Return the numbers in the zip of an artifact; ArtifactError says why they are refused."""
    files = _unpack(data)
    run = _read(RunReport, files, "run.json", doubt_run)
    if run is None:
        raise _refusal("it has no run.json")
    left_out = Unknown(
        reason=run.failure.message if run.failure else "the run uploaded no such numbers"
    )
    images = _read(ImagesReport, files, "images.json", doubt_images) or left_out
    memory = _read(MemoryReport, files, "memory.json", doubt_memory) or left_out
    known = service_names(images, memory)
    plan = _read(Plan, files, "plan.json", partial(doubt_plan, services=known)) or NO_PLAN
    return Numbers(run=run, images=images, memory=memory, plan=plan)


def _unpack(data: bytes) -> dict[str, bytes]:
    _check_end(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            return {entry.orig_filename: _inflate(archive, entry) for entry in entries}
    except ArtifactError:
        raise
    except Exception as error:  # zipfile has a dozen ways to stumble over what is not a zip
        raise _refusal(f"it is not a sound zip file ({type(error).__name__})") from error


def _check_end(data: bytes) -> None:
    """Check the one record at the end that says how much zipfile is going to read.

    Nothing may follow it and nothing come before the first entry, so that there is one way only to
    read the file.
    """
    if len(data) > MOST_BYTES:
        raise _refusal(f"it is larger than {MOST_BYTES:,} bytes")
    end = data[-_END_BYTES:]
    if len(end) < _END_BYTES or not end.startswith(_END):
        raise _refusal("it is not a zip file, or something follows it")
    if data[-_END_BYTES - _LOCATOR_64_BYTES :].startswith(_LOCATOR_64):
        raise _refusal("it is a zip file of the 64-bit kind")
    count, size, offset = (
        int.from_bytes(end[start:stop], "little") for start, stop in ((10, 12), (12, 16), (16, 20))
    )
    if count > len(MOST_FILE_BYTES) or size > _MOST_DIRECTORY_BYTES:
        raise _refusal(f"it has more than {len(MOST_FILE_BYTES)} files")
    if offset + size + _END_BYTES != len(data):
        raise _refusal("its directory is not where its end says")


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.orig_filename for entry in entries]
    for name in names:
        if name not in MOST_FILE_BYTES:
            raise _refusal(f"it has a file {plain(name, 60)!r}, which onegig does not write")
    if len(set(names)) != len(names):
        raise _refusal("it has a file twice")
    for entry in entries:
        kind, most = stat.S_IFMT(entry.external_attr >> 16), MOST_FILE_BYTES[entry.orig_filename]
        problems = {
            "is not a regular file": kind not in (0, stat.S_IFREG),
            "is encrypted": entry.flag_bits & _ENCRYPTED,
            "is compressed in a way that artifacts are not": entry.compress_type not in _METHODS,
            f"is larger than {most:,} bytes": entry.file_size > most,
            f"unpacks to more than {MOST_RATIO} times its size": entry.file_size
            > max(MIN_RATIO_BYTES, MOST_RATIO * entry.compress_size),
        }
        for problem in filter(problems.get, problems):
            raise _refusal(f"{entry.orig_filename} {problem}")


def _inflate(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return the content, never more than the directory says; zipfile checks its checksum."""
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise _refusal(f"{entry.orig_filename} is not as long as its directory says")
    return content


def _read(
    kind: type[D], files: dict[str, bytes], name: str, doubt: Callable[[D], Iterator[str]]
) -> D | None:
    if name not in files:
        return None
    schema = next(schema for schema, known in DOCUMENTS.items() if known is kind)
    try:
        if parse_strictly(files[name], is_signed=kind is Plan).get("schema") != schema:
            raise _refusal(f"{name} does not follow the schema {schema}")
    except StrictJsonError as error:
        raise _refusal(f"{name} {error}") from error
    try:
        document = from_json(kind, files[name], name, strict=True)
    except ConfigError as error:
        detail = plain(error.detail, 1000) or "its schema"
        raise _refusal(error.message, detail=f"what does not fit: {detail}") from error
    for problem in doubt(document):
        raise _refusal(f"{name} {problem}")
    return document


def _refusal(why: str, *, advice: str = _USED_NOTHING, detail: str = "") -> ArtifactError:
    message = f"the numbers of this run are refused: {why}"
    return ArtifactError(message, advice=advice, detail=detail)


class StrictJsonError(ValueError):
    """A text that is refused; the message ends a sentence that names it."""


def parse_strictly(text: bytes, *, is_signed: bool = False) -> dict[str, Any]:
    """Return the object in `text`, its numbers from 0 to MOST_NUMBER; else StrictJsonError.

    Those of SIGNED, and with `is_signed` all, may be as large below zero.
    """
    for sign, noun, most in ((b",", "values", MOST_VALUES), (b"{", "objects", MOST_OBJECTS)):
        if text.count(sign) > most:
            raise StrictJsonError(f"has more than {most:,} {noun}")
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=partial(_mapping, is_signed=is_signed),
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        raise StrictJsonError("is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"is not JSON (line {error.lineno}: {error.msg})") from None
    except RecursionError:
        raise StrictJsonError("is nested too deeply") from None
    if not isinstance(value, dict):
        raise StrictJsonError("is not a JSON object")
    return value


def _mapping(pairs: list[tuple[str, Any]], *, is_signed: bool) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise StrictJsonError("has a key twice in one object")
    for key, value in pairs:
        if not is_signed and key not in SIGNED and _is_negative(value):
            raise StrictJsonError("has a negative number")
        for text in (key, *(value if isinstance(value, list) else (value,))):
            if isinstance(text, str) and len(text) > MOST_CHARACTERS:
                raise StrictJsonError(f"has a string of {len(text):,} characters")
    return mapping


def _is_negative(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_negative, value))
    return isinstance(value, (int, float)) and value < 0


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= MOST_DIGITS else float("inf")
    return int(_check_number(value))


def _fraction(digits: str) -> float:
    value = float(digits) if len(digits) <= MOST_DIGITS * 2 else float("inf")
    return float(_check_number(value))


def _check_number(value: float) -> float:
    if value < -MOST_NUMBER:
        raise StrictJsonError("has a number too far below zero")
    if value > MOST_NUMBER:
        raise StrictJsonError("has a number that is too large to be true")
    return value


def _constant(name: str) -> NoReturn:
    raise StrictJsonError(f"has the number {name}")
