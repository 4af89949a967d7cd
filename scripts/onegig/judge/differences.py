"""What else differs between two runs than the commit: reasons to distrust a comparison."""

from collections.abc import Iterator

from onegig.judge.baseline import environment_of
from onegig.judge.words import one_line
from onegig.model.baseline import Baseline
from onegig.model.environment import Environment
from onegig.model.measured import Missing
from onegig.model.report import Report


def differences(report: Report, baseline: Baseline) -> tuple[str, ...]:
    """Such as "engine 29.1, was 28.0"; empty where the two runs were alike.

    Engine and kernel count to their second number. Of GitHub's runner images only the name does:
    they are renewed every week, and what matters of that is listed here by itself.
    """
    now, before = environment_of(report), baseline.environment
    if isinstance(before, Missing):
        return () if isinstance(now, Missing) else ("the baseline's environment is not known",)
    if isinstance(now, Missing):
        return ("this run's environment is not known",)
    told = dict(_told(before))
    return tuple(
        one_line(f"{name} {value}, was {told[name]}")
        for name, value in _told(now)
        if value != told[name]
    )


def _told(env: Environment) -> Iterator[tuple[str, str]]:
    yield "engine", _minor(env.engine_version)
    yield "kernel", _minor(env.kernel)
    yield "cgroup", f"v{env.cgroup_version}"
    yield "architecture", env.architecture
    yield "base images", env.bases
    yield "runner", env.runner.partition(" ")[0]
    yield "onegig", env.onegig_version


def _minor(version: str) -> str:
    """Major and minor: "28.0" of "28.0.4"."""
    return ".".join(version.split(".")[:2])
