"""Artifacts of strangers: honest ones are read, everything else is refused with a reason."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import MIB
from gate_runs import CLAIM, make_honest_images, make_honest_memory, zip_files, zipped
from mutations import mutations
from onegig.errors import ArtifactError, ExitCode
from onegig.github.trusted.artifact import Numbers, read_artifact
from onegig.model.codec import to_json
from onegig.model.measured import Unknown
from onegig.model.redis import ServiceRedis
from onegig.model.report import Failure
from redis_audits import make_audit

pytestmark = pytest.mark.security

HONEST = zipped(CLAIM)
MUTATIONS = mutations(CLAIM)


def read_or_refuse(data: bytes) -> Numbers | None:
    """None when it is refused, which is the only other way to end."""
    try:
        return read_artifact(data)
    except ArtifactError:
        return None


def test_honest_numbers_come_through_unchanged() -> None:
    assert read_artifact(HONEST) == Numbers(
        run=CLAIM, images=make_honest_images(), memory=make_honest_memory()
    )


def test_an_honest_audit_comes_through_unchanged() -> None:
    audits = (ServiceRedis(service="redis-coordinator", audit=make_audit()),)
    memory = replace(make_honest_memory(), redis=audits)
    assert read_artifact(zipped(CLAIM, memory=memory)).memory == memory


def test_an_audit_that_counted_bytes_twice_comes_through_unchanged() -> None:
    """What patterns and overheads have more than the server uses is below zero."""
    honest = make_audit()
    size = honest.patterns[0].bytes
    larger = replace(honest.patterns[0], bytes=replace(size, value=size.value + 90 * MIB))
    audit = replace(honest, patterns=(larger, *honest.patterns[1:]))
    audit = replace(audit, unexplained_bytes=honest.unexplained_bytes - 90 * MIB)
    assert audit.unexplained_bytes < 0
    memory = replace(
        make_honest_memory(), redis=(ServiceRedis(service="redis-coordinator", audit=audit),)
    )
    assert read_artifact(zipped(CLAIM, memory=memory)).memory == memory


def test_what_was_not_measured_is_missing_with_the_reason_of_the_run() -> None:
    failure = Failure(message="the image of risk could not be built", exit_code=3)
    data = zip_files({"run.json": to_json(replace(CLAIM, failure=failure))})
    missing = Unknown(reason="the image of risk could not be built")
    numbers = read_artifact(data)
    assert (numbers.images, numbers.memory) == (missing, missing)


def test_a_run_without_numbers_or_failure_says_that_it_left_none() -> None:
    images = make_honest_images()
    numbers = read_artifact(zip_files({"run.json": to_json(CLAIM), "images.json": to_json(images)}))
    assert numbers.images == images
    assert numbers.memory == Unknown(reason="the run uploaded no such numbers")


def test_a_merge_that_is_not_known_is_no_reason_to_refuse() -> None:
    claim = replace(CLAIM, measured_sha="", base_sha="")
    assert read_artifact(zipped(claim)).run == claim


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_spoiled_artifact_is_refused(name: str) -> None:
    with pytest.raises(ArtifactError, match="numbers of this run are refused: ") as caught:
        read_artifact(MUTATIONS[name])
    text = f"{caught.value.message}{caught.value.detail}"
    assert text.isprintable()
    assert len(text) < 2000
    assert caught.value.exit_code is ExitCode.INCOMPLETE


def test_mutations_are_many_and_no_two_are_the_same() -> None:
    assert len(set(MUTATIONS.values())) == len(MUTATIONS) > 200


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert read_or_refuse(data) is None


@given(place=st.integers(0, len(HONEST) - 1), noise=st.binary(min_size=1, max_size=40))
def test_noise_in_a_zip_is_refused_or_harmless(place: int, noise: bytes) -> None:
    """Times and versions of a zip's entries mean nothing; its content is under a checksum."""
    numbers = read_or_refuse(HONEST[:place] + noise + HONEST[place + len(noise) :])
    assert numbers is None or numbers == read_artifact(HONEST)


@given(st.randoms(use_true_random=False), st.sampled_from(("run", "images", "memory")))
def test_noise_in_json_is_read_or_refused(chance: random.Random, kind: str) -> None:
    files = {
        "run.json": to_json(CLAIM),
        "images.json": to_json(make_honest_images()),
        "memory.json": to_json(make_honest_memory()),
    }
    text = bytearray(files[f"{kind}.json"].encode())
    for _ in range(chance.randint(1, 5)):
        text[chance.randrange(len(text))] = chance.choice(b'0123456789-+.eE"{}[],: ntf\\\xff\x00')
    read_or_refuse(zip_files({**files, f"{kind}.json": bytes(text)}))
