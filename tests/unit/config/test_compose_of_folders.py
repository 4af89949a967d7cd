"""What is asked of `docker compose` and what is made of its output, with a stand-in for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from onegig.config.document import read_output
from onegig.config.stack import load_stack
from onegig.errors import ConfigError
from onegig.model.stack import Stack, dump_config
from onegig.process import CommandError, Completed
from stacks import answering

PLAIN = {"a": {"image": "x"}}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder without a compose file above it, as the current folder."""
    for name in ("COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR", "COMPOSE_ENV_FILES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(*names: str, **options: Any) -> Stack:
    """The stack of a folder with these files, of which compose chooses."""
    for name in names:
        Path(name).write_text("services: {}\n")
    return load_stack(run=answering(PLAIN), **options)


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["compose.yml"], ("compose.yml",)),
        (["compose.yml", "compose.yaml"], ("compose.yaml",)),
        (["compose.yml", "compose.override.yml"], ("compose.yml", "compose.override.yml")),
        (
            ["docker-compose.yml", "docker-compose.override.yaml", "other.yml"],
            ("docker-compose.yml", "docker-compose.override.yaml"),
        ),
    ],
)
def test_the_files_that_compose_chooses(names: list[str], files: tuple[str, ...]) -> None:
    assert load(*names).files == files


def test_files_of_the_environment_go_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_FILE", "a.yml:b.yml")
    assert load("compose.yml", "a.yml", "b.yml").files == ("a.yml", "b.yml")
    monkeypatch.setenv("COMPOSE_PATH_SEPARATOR", ";")
    with pytest.raises(ConfigError, match=r"the compose file a\.yml:b\.yml does not exist"):
        load()


def test_a_file_of_a_folder_above_counts(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load("compose.yml")
    (project / "deep" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "deeper")
    stack = load()
    assert stack.files == (str(project / "compose.yml"),)
    assert stack.directory == str(project)


def test_a_folder_without_a_compose_file() -> None:
    with pytest.raises(
        ConfigError, match=r"no compose file in .*: looked for compose\.yaml, "
    ) as caught:
        load()
    assert "--compose" in caught.value.advice
    Path("sub").mkdir()
    with pytest.raises(ConfigError, match=r"no compose file in .*/sub:"):
        load(folder=Path("sub"))


def test_the_folders_name_is_the_one_that_the_shell_shows(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "real").mkdir()
    (project / "link").symlink_to("real")
    (project / "real" / "compose.yml").write_text("services: {}\n")
    assert load(folder=Path("link")).directory == str(project / "link")
    monkeypatch.chdir(project / "link")
    monkeypatch.setenv("PWD", str(project / "link"))
    assert load().directory == str(project / "link")
    monkeypatch.setenv("PWD", "/")  # stale
    assert load().directory == str(project / "real")


def test_warnings_are_unquoted_and_each_is_there_once(project: Path) -> None:
    Path("compose.yml").write_text("services: {}\n")
    unset = r'level=warning msg="The \"TOKEN\" variable is not set. Defaulting to a blank string."'
    obsolete = f'level=warning msg="{project}/compose.yml: the attribute `version` is obsolete"'
    lines = [f'time="2026-11-28T19:11:15Z" {text}\n' for text in (unset, obsolete, unset)]
    stderr = "".join([*lines, "level=info msg=other\n", "level=warning msg=short\n"])
    stack = load_stack(run=answering(PLAIN, stderr))
    assert stack.warnings == (
        'The "TOKEN" variable is not set. Defaulting to a blank string.',
        "compose.yml: the attribute `version` is obsolete",
        "short",
    )
    assert load().warnings == ()


def test_a_project_that_compose_cannot_write_as_json_is_read_from_yaml(project: Path) -> None:
    Path("compose.yml").write_text("services: {}\n")
    text = """\
name: demo
services:
  web:
    build:
      context: /x
      ssh:
        - 'deploy: /keys/a: b'
        - default
        - other: /keys/c
    environment:
      SWITCH: "on"
      AT: "15:30"
"""

    def run(command: list[str], **_options: Any) -> Completed:
        if "json" in command:
            raise CommandError(command, 1, "json: error calling MarshalJSON for type", "failed")
        return Completed(argv=tuple(command), code=0, stdout=text, stderr="")

    stack = load_stack(run=run)
    assert [service.image for service in stack.services] == ["demo-web"]
    web = json.loads(stack.config_json)["services"]["web"]
    assert web["build"]["ssh"] == [
        "deploy=/keys/a: b",
        "default",
        "other=/keys/c",
    ]
    assert web["environment"] == {"SWITCH": "on", "AT": "15:30"}


def test_what_a_program_wrote_may_be_long() -> None:
    text = "".join(f"key{number}: {number}\n" for number in range(12_000))
    assert len(read_output(text)) == 12_000


def test_json_for_compose_has_no_surrogates_nor_other_line_breaks() -> None:
    text = dump_config({"a": "\U0001f600 \x85 \u2028 ü"})
    assert "\U0001f600" in text
    assert "\\u0085 \\u2028 \\u00fc" in text
    assert json.loads(text) == {"a": "\U0001f600 \x85 \u2028 ü"}


def test_a_dollar_in_a_folders_name_is_one_dollar(project: Path) -> None:
    folder = project / "a$b"
    folder.mkdir()
    (folder / "compose.yml").write_text("services: {}\n")
    build = {"context": f"{project}/a$$b/app", "dockerfile": "Dockerfile"}
    (service,) = load_stack(run=answering({"web": {"build": build}}), folder=Path("a$b")).services
    assert service.dockerfile == "app/Dockerfile"
