"""Which texts are names of images, and what is said of a service with another."""

from pathlib import Path

import pytest

from onegig.config.stack import is_image_name, load_stack, refuse_bad_names
from onegig.errors import ConfigError

pytestmark = pytest.mark.security

DIGEST = f"sha256:{'0f' * 32}"


NAMES = (
    *("alpine", "alpine:3.23", f"alpine@{DIGEST}", f"alpine:3.23@{DIGEST}", DIGEST, "0f" * 32),
    *("library/a__b/c---d/e.f_g:V_1.2-x", "localhost:5000/a", "Registry.Example/a"),
    *("ghcr.io/owner/name/sub:latest", "[::1]:5000/a:1"),
)
OTHERS = (
    *("", "a:1,dest=/tmp/OVERWRITTEN,a=", "a:1,name=b", 'a"b', "-a", "--output=x", "a:", "a:-1"),
    *("a b", "a\n", "a\nRUN x", "A", "a/B", "a//b", "a/", "../a", "a@sha256:00", "a:1:2"),
    *("https://example.org/a", f"a:{'x' * 129}", "a" * 601, "\u0430"),
)


@pytest.mark.parametrize("text", [*NAMES, *OTHERS])
def test_what_a_name_is(text: str) -> None:
    assert is_image_name(text) == (text in NAMES)


def test_the_service_and_its_line_are_named(tmp_path: Path) -> None:
    path = tmp_path / "compose.yml"
    path.write_text("services:\n  web:\n    image: 'a:1,dest=/x'\n")
    config = {"services": {"db": {"image": "db:1"}, "own": {}, "web": {"image": "a:1,dest=/x\x1b"}}}
    with pytest.raises(ConfigError) as caught:
        refuse_bad_names(config, (path,))
    assert caught.value.message.startswith(
        f"{path}:3: the service web has an image name that is not valid"
    )
    assert "\x1b" not in caught.value.message


def test_a_variable_does_not_bring_another_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = 'services:\n  web:\n    image: "a:1$${X:+,dest=/tmp/OVERWRITTEN,a=}"\n'
    Path("compose.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"compose\.yml:3: the service web has an image"):
        load_stack()
