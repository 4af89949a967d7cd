"""A file of the artifact that is no JSON, or JSON that no report has."""

import json
from collections.abc import Iterator

from gate_runs import zip_files


def texts(files: dict[str, str], name: str) -> Iterator[tuple[str, bytes]]:
    """Zips by what is wrong with the text of the file of this name."""
    text = files[name]
    key, value = ("title", "Turn off") if name == "plan.json" else ("onegig_version", "0.1.0")
    inner = text.strip().removeprefix("{")
    schema = f'"schema": "onegig/{name.removesuffix(".json")}/1"'
    spoiled: dict[str, str | bytes] = {
        "empty": "",
        "no UTF-8": text.encode().replace(value.encode(), b"\xff\xfe"),
        "UTF-16": text.encode("utf-16"),
        "a byte order mark": "\ufeff" + text,
        "cut": text[: len(text) // 2],
        "an array": f"[{text}]",
        "null": "null",
        "a number": "1",
        "a string": json.dumps(text[:100]),
        "two documents": text + text,
        "a trailing comma": text.rstrip().removesuffix("}") + ",}",
        "a comment in it": "{ // hello\n" + inner,
        "a duplicate key": f"{{{schema}, {inner}",
        "a duplicate key deeper": text.replace(f'"{key}"', f'"{key}": "9", "{key}"', 1),
        "an unknown key": f'{{"extra": 1, {inner}',
        "deep": "[" * 100_000 + "]" * 100_000,
        "deep under a key": '{"extra": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + f", {inner}",
        "a million values": '{"extra": [' + "0," * 1_000_000 + f"0], {inner}",
        "a lot of objects": '{"extra": [' + "{}," * 100_001 + f"{{}}], {inner}",
        "a lone surrogate": text.replace(value, "\\ud800", 1),
        "a long string": text.replace(value, "v" * 100_000, 1),
    }
    for number in ("NaN", "Infinity", "-Infinity", "1e999", "-1", "9" * 5000, "1" + "0" * 20):
        spoiled[f"the number {number[:12]}"] = f'{{"extra": {number}, {inner}'
    for what, content in spoiled.items():
        yield what, zip_files({**files, name: content})
