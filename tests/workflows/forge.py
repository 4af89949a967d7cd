"""The server of these tests: a bare repository in a folder, and a small project pushed to it."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from github.state import REPOSITORY
from small_image import SMALL_IMAGE

PROJECT = Path(__file__).parents[2]
PARTS = ("scripts", ".github", "action.yml", "pyproject.toml", ".gitignore")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info")
MAIN = "main"


def budgets(each: str = "1GB") -> str:
    """Limits that the small services keep, `each` being that of an image."""
    return f"""\
version: 1
memory: {{limit: 512MB}}
images: {{min_efficiency: 50%, each: {each}}}
measure: {{settle: 300ms, window: 1s, healthy_timeout: 20s}}
"""


FILES = {
    "budgets.yml": budgets(),
    "compose.yml": f"""\
name: onegig-workflow-test
services:
  web: {{build: ., image: onegig-workflow-test/web, init: true, command: [sleep, "3600"]}}
  idle: {{image: "{SMALL_IMAGE}", init: true, command: [sleep, "3600"]}}
""",
    "Dockerfile": f"FROM {SMALL_IMAGE}\nCOPY hello.txt /hello.txt\nUSER 65532:65532\n",
    "hello.txt": "hello\n",
}
# What act does not know yet, and what means the same to it.
NEWER = {"uses: $/": "uses: ./"}
NAMES = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "somebody"), ("EMAIL", "somebody@example.org"))
}


def older(text: str) -> str:
    """A workflow as act understands it."""
    for newer, known in NEWER.items():
        text = text.replace(newer, known)
    return text


@dataclass(frozen=True, kw_only=True, slots=True)
class Pull:
    """A pull request: its last commit, and that commit's merge into main as GitHub makes it."""

    number: int
    branch: str
    head_sha: str
    base_sha: str
    merge_sha: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Forge:
    """A folder that is laid out as a server's URLs are, and one working tree."""

    root: Path

    @property
    def tree(self) -> Path:
        """The working tree; act takes the workflows from here."""
        return self.root / "tree"

    @property
    def bare(self) -> Path:
        """What checkouts clone and what is pushed to."""
        return self.root / REPOSITORY

    @property
    def action(self) -> Path:
        """This project's code where the repository has none of it."""
        return self.root / "onegig"

    def create(self) -> None:
        """This project's code beside a stack of two small services, committed to main."""
        self.tree.mkdir(parents=True)
        for part in PARTS:
            source, target = PROJECT / part, self.tree / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=LEFT_OUT)
            else:
                shutil.copy2(source, target)
        for path in (self.tree / ".github").rglob("*.yml"):
            path.write_text(older(path.read_text()))
        git = self.git
        git("init", "--quiet", "--initial-branch", MAIN)
        git("init", "--quiet", "--bare", "--initial-branch", MAIN, str(self.bare))
        git("--git-dir", str(self.bare), "config", "uploadpack.allowAnySHA1InWant", "true")
        git("remote", "add", "origin", self.bare.as_uri())
        self.commit(FILES)
        git("push", "--quiet", "origin", MAIN)

    def move_out(self, workflows: Mapping[str, str]) -> None:
        """Leave main with the stack and these workflows, as another repository has them."""
        self.action.mkdir()
        for part in PARTS:
            (self.tree / part).rename(self.action / part)
        self.push({f".github/workflows/{name}": older(text) for name, text in workflows.items()})

    def git(self, *arguments: str) -> str:
        """Run git in the working tree; what it prints."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.tree,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root), **NAMES},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str]) -> str:
        """Commit files on top of what is checked out; the commit's SHA."""
        for name, text in files.items():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def push(self, files: Mapping[str, str]) -> tuple[str, str]:
        """Push a commit to main; the SHA before and that of the commit."""
        self.git("checkout", "--quiet", MAIN)
        before = self.git("rev-parse", "HEAD")
        after = self.commit(files)
        self.git("push", "--quiet", "origin", MAIN)
        return before, after

    def open_pull(self, files: Mapping[str, str], *, branch: str = "change") -> Pull:
        """A pull request with these files; the working tree is its merge into main."""
        number = 7
        self.git("checkout", "--quiet", "-B", branch, MAIN)
        head = self.commit(files)
        self.git("checkout", "--quiet", "--detach", MAIN)
        self.git("merge", "--quiet", "--no-ff", "--message", "merge", head)
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/pull/{number}/merge")
        return Pull(
            number=number,
            branch=branch,
            head_sha=head,
            base_sha=self.git("rev-parse", MAIN),
            merge_sha=self.git("rev-parse", "HEAD"),
        )
