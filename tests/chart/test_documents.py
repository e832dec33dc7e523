"""README.md and values.schema.json match values.yaml."""

import importlib.util
import re
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.chart.chart import CHART, manifests

SCRIPT = Path(__file__).parents[2] / ".ci" / "chart_docs.py"
_spec = importlib.util.spec_from_file_location("chart_docs", SCRIPT)
assert _spec
assert _spec.loader
chart_docs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(chart_docs)


def test_generated_files_are_current() -> None:
    """`make chart-docs` would change nothing: the schema and the table of values match their sources."""
    for path, text in chart_docs.generate().items():
        assert text == path.read_text(), f"run make chart-docs to update {path.name}"


def test_each_value_needs_a_comment() -> None:
    """A value without a comment is an error that names it."""
    with pytest.raises(ValueError, match=r"^a\.b has no comment"):
        chart_docs.read_values("a:\n  b: 1\n")


def test_comments_become_rows() -> None:
    """A row has the path, the default as JSON or the text after @default, and the text of the comment."""
    text = "a:\n  # -- One.\n  b: [1]\n  # -- Two.\n  # @default -- see below\n  c: {d: 1}\n"
    rows = chart_docs.render_table(chart_docs.read_values(text)).splitlines()[2:]
    assert rows == ["| `a.b` | `[1]` | One. |", "| `a.c` | see below | Two. |"]


def test_first_values_of_the_readme_render() -> None:
    """The first example renders, with the service account that docs/iam.md names."""
    text = re.findall(r"```yaml\n(.*?)```", (CHART / "README.md").read_text(), re.DOTALL)[0]
    objects = manifests(yaml.safe_load(textwrap.dedent(text)))
    kinds = {one["kind"] for one in objects}
    assert {"StatefulSet", "ServiceMonitor", "PrometheusRule", "NetworkPolicy", "ServiceAccount"} <= kinds
    (account,) = (one for one in objects if one["kind"] == "ServiceAccount")
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].startswith("arn:aws:iam::")


def test_all_values_of_the_readme_render() -> None:
    """Each example of values can be used as it is."""
    examples = re.findall(r"```yaml\n( *# values\.yaml\n.*?)```", (CHART / "README.md").read_text(), re.DOTALL)
    assert examples
    for text in examples:
        given = yaml.safe_load(textwrap.dedent(text))
        assert manifests({"config": {"products": ["pp-aaaaaaaaaaaaa"]}, **given})
