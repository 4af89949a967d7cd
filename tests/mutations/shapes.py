"""Well-formed JSON that is not the model's."""

from collections.abc import Iterator

from mutations.changes import FILES, FINDING, Change, account, box, image, item, scan, service


def shapes() -> Iterator[tuple[str, str, Change]]:
    """Well-formed JSON that is not the model's."""
    for name in FILES:
        yield "no schema", name, lambda one: one.pop("schema")
        yield "another version", name, lambda one: one.update(schema=one["schema"][:-1] + "2")
        yield "another document's schema", name, lambda one: one.update(schema="onegig/report/1")
        yield "a schema that is a number", name, lambda one: one.update(schema=1)
    for key in ("event", "head_sha", "measured_sha", "onegig_version", "reproduce"):
        yield f"no {key}", "run.json", lambda one, key=key: one.pop(key)
        yield f"{key} of null", "run.json", lambda one, key=key: one.update({key: None})
        yield f"{key} as a list", "run.json", lambda one, key=key: one.update({key: ["x"]})
    yield "failure of text", "run.json", lambda one: one.update(failure="it broke")
    for what, access in (
        ("text", "privileged"),
        ("no reason", [{"service": "web"}]),
        ("an empty reason", [{"service": "web", "reason": ""}]),
        ("a reason of 10,000 characters", [{"service": "web", "reason": "x" * 10_000}]),
        ("too many reasons", [{"service": "web", "reason": "x"}] * 10_001),
    ):
        yield f"host access of {what}", "run.json", lambda one, a=access: one.update(host_access=a)
    for key in ("cap_bytes", "charged_bytes", "total_rss_bytes", "oom_kills"):
        for what, value in (("text", "1"), ("a fraction", 1.5), ("true", True), ("null", None)):
            yield f"{key} of {what}", "memory.json", box(**{key: value})
    yield "a peak of text", "memory.json", box(peak_bytes="1")
    yield "a peak of another kind", "memory.json", box(peak_bytes={"kind": "zero", "reason": ""})
    yield "an unknown key in the box", "memory.json", box(extra=1)
    yield "no box", "memory.json", lambda one: one.pop("box")
    yield "services of an object", "memory.json", lambda one: one.update(services={})
    yield "a state nobody knows", "memory.json", service(state="fine")
    yield "a service of text", "memory.json", lambda one: one["services"].insert(0, "redis")
    yield "optional of 1", "memory.json", service(optional=1)
    yield "a size of text", "images.json", image(size_bytes="1")
    yield "dive of null", "images.json", image(dive=None)
    yield "layers of null", "images.json", image(layers=None)
    yield "an unknown key of an image", "images.json", image(extra={})
    yield "an account of null", "images.json", image(accounting=None)
    yield (
        "a missing account without a reason",
        "images.json",
        image(accounting={"kind": "skipped"}),
    )
    yield "a cause nobody knows", "images.json", item("parts", cause="magic")
    yield "a fate nobody knows", "images.json", item("dead", fate="asleep")
    yield "a fix of text", "images.json", account(fixes=["buy a disk"])
    yield "a layer of text", "images.json", item("fixes", layer="1")
    yield "a severity nobody knows", "images.json", scan(findings=[{**FINDING, "severity": "BAD"}])
    yield "a database of a number", "images.json", scan(database=20261123)
    yield "duplicates of an object", "images.json", lambda one: one.update(duplicates={})
