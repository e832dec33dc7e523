"""cfn-lint finds nothing in the templates of the good configuration files."""

from pathlib import Path

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from monitor.config.load import load_settings
from monitor.config.settings import TableSettings
from monitor.config.yaml_text import yaml_text
from monitor.policy.template import Needs, template

GOOD = sorted((Path(__file__).parents[1] / "config" / "data" / "good").glob("*.yaml"))
REGIONS = ["eu-west-1", "us-east-1"]


def findings(needs: Needs) -> list[str]:
    """Return what cfn-lint reports, also warnings and hints."""
    arguments = ManualArgs(regions=REGIONS, include_checks=["W", "I"], include_experimental=False)
    return [str(match) for match in lint(yaml_text(template(needs)), config=arguments)]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_the_template_of_a_configuration(path: Path) -> None:
    """Whatever the configuration names."""
    assert findings(Needs(load_settings(path).sources)) == []


def test_a_template_with_everything() -> None:
    """With the table of the state, the queue of the hints and session tags."""
    sources = load_settings(GOOD[0].parent / "roles.yaml").sources
    queue = "https://sqs.eu-west-1.amazonaws.com/111122223333/stackset-monitor"
    assert findings(Needs(sources, TableSettings("state", "eu-west-1"), {"hub": queue}, session_tags=True)) == []


def test_a_mistake_would_be_found() -> None:
    """The check reads the template."""
    made = template(Needs(load_settings(GOOD[0].parent / "roles.yaml").sources))
    made["Resources"]["MonitorPolicy"]["Properties"]["Statments"] = []
    assert "Statments" in str(lint(yaml_text(made), config=ManualArgs(regions=REGIONS)))
