"""Write YAML."""

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Writes a value that occurs twice twice: people read no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the interface of PyYAML
        return True


def yaml_text(value: Any) -> str:
    """Return a value of mappings, sequences and scalars as a YAML document, in the order of its keys."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
