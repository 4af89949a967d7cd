"""Find the compose files of tests/corpus, written in the style of public stacks."""

from pathlib import Path
from typing import Any

import yaml

CORPUS = Path(__file__).parent / "corpus"
STACKS = tuple(sorted(CORPUS.glob("*.yml")))
BROKEN = tuple(sorted((CORPUS / "broken").glob("*.yml")))
NEWER = tuple(sorted((CORPUS / "newer").glob("*.yml")))  # keys that not every compose knows
SIDE_FILES = tuple(sorted((CORPUS / "side").glob("*.yml")))  # targets of include and extends


class ComposeLoader(yaml.SafeLoader):
    """Read YAML as compose does, ignoring its tags !reset and !override."""


def _without_tag(loader: ComposeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_yaml_str(node)


ComposeLoader.add_multi_constructor("!", _without_tag)


def read_documents(path: Path) -> list[dict[str, Any]]:
    """Return the YAML documents of a compose file, anchors resolved, nothing else."""
    return list(yaml.load_all(path.read_text(encoding="utf-8"), ComposeLoader))
