"""Configuration files that are wrong: every problem at once, each with its line, its path and a sentence.

The whole report of each `data/bad/*.yaml` is in the `*.txt` of the same name.
"""

import re
from pathlib import Path

import pytest

from monitor.config.errors import ConfigurationError
from monitor.config.load import parse_settings
from monitor.config.messages import SENTENCES

BAD = Path(__file__).parent / "data" / "bad"
NAMES = sorted(path.stem for path in BAD.glob("*.yaml"))


def report(text: bytes) -> str:
    """Return the report of a file."""
    with pytest.raises(ConfigurationError) as caught:
        parse_settings(text, Path("monitor.yaml"))
    return f"{caught.value}\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_file_is_reported_whole(name: str) -> None:
    """The report is that of the `*.txt` file, and its line numbers exist."""
    text = (BAD / f"{name}.yaml").read_bytes()
    found = report(text)
    assert found == (BAD / f"{name}.txt").read_text("utf-8")
    for line in found.splitlines():
        place = re.match(r"monitor\.yaml:(\d+): \S", line)
        assert place
        assert 1 <= int(place[1]) <= max(1, text.count(b"\n"))


def test_each_bad_file_has_its_report() -> None:
    """Each `*.yaml` has a `*.txt`, and the reverse."""
    assert sorted(path.stem for path in BAD.glob("*.txt")) == NAMES


def test_every_sentence_is_in_a_report() -> None:
    """Each message for an error of pydantic appears in a report."""
    reports = "".join(path.read_text("utf-8") for path in BAD.glob("*.txt"))
    for kind, sentence in SENTENCES.items():
        fixed = max(re.split(r"{\w+}", sentence), key=len)
        assert fixed in reports, kind
    for foreign in ("Input should", "Value error", "String should", "pydantic", "class"):
        assert foreign not in reports


def test_an_unreadable_value_is_not_called_empty_too() -> None:
    """One mistake gives one line."""
    assert report(b"products:\n  - id: !secret x\n") == (
        'monitor.yaml:2: products[0].id: the tag "!secret" is not supported\n'
    )


def test_a_secret_is_not_shown() -> None:
    """A refused external ID is not shown, whatever YAML reads in it."""
    for value in (
        "hush hush", "[hush]", "{hush: hush}", "{hush: 1, hush: 2}", "!!int hush", "!!bool hush", "[!!float hush]",
        "!hush x", "!!hush x", "!<hush> x", "!hush!x y", "*hush", "\n    *hush", "&hush x\n    more: &hush y",
        "@hush", "`hush", "hush: x", '"hush', "'hush", "[hush", "{hush", "hush\n hush", '"\\qhush"', '"hush" hush',
    ):  # fmt: skip
        for key in ("external_id", "externalId", "external-id", "externalid"):
            found = report(f"sources:\n  - name: hub\n    {key}: {value}\nproducts: [pp-a]\n".encode())
            assert "hush" not in found
    for value in ("12345", "2026-13-45", "0x12345"):
        found = report(f"sources: [{{name: hub, external_id: {value}}}]\nproducts: [pp-a]".encode())
        assert not {"12345", "2026-13-45"} & set(re.findall(r"[0-9-]+", found))


@pytest.mark.parametrize("secret", ["hush", "hush-hush-1", "eu-hush-1", "AKIAHUSHHUSHHUSH0000", "[hush]", "!hush x"])
def test_a_secret_in_the_place_of_a_region_is_not_shown(secret: str) -> None:
    """A line that is shifted or pasted wrongly may put a secret there."""
    found = report(f"sources:\n  - name: hub\n    region: {secret}\nproducts: [pp-a]\n".encode())
    assert found.startswith("monitor.yaml:3: sources[0].region: ")
    assert "hush" not in found.lower()


@pytest.mark.parametrize("value", ["", "1", "!hush x", "!!int hush", "{hush: 1, hush: 2}", "x\n    hush: y"])
def test_a_secret_that_is_written_as_a_key_is_not_shown(value: str) -> None:
    """An unknown key is shown only if it is similar to a known key; the line number locates it."""
    found = report(f"sources:\n  - name: hub\n    hush: {value}\nproducts: [pp-a]\n".encode())
    assert found.startswith("monitor.yaml:3: sources[0]: ")
    assert "hush" not in found


def test_an_unknown_key_may_look_like_a_mark_of_pydantic() -> None:
    """Pydantic marks an error of a key with `[key]`; a key of that name is an unknown key like others."""
    assert report(b"'[key]': 1\nproducts: [pp-a]").startswith("monitor.yaml:1: unknown key; the keys here are poll,")


@pytest.mark.parametrize("key", ["products", "sources", "accept_language"])
def test_a_credential_is_not_shown_anywhere(key: str) -> None:
    """A refused value with the form of a credential is left out of the report, whatever its key."""
    token = "aB3" * 20
    for secret in ("AKIAHUSHHUSHHUSH0000", "$2y$10$hush", token):
        found = report(f"sources: [{{name: hub, {key}: '{secret}'}}]\n{key}: '{secret}'\n".encode())
        assert secret not in found


def test_problems_come_by_their_lines() -> None:
    """Problems are sorted by line."""
    text = "\n".join(f"key{number}: {number}" for number in range(12))
    found = [int(line.split(":")[1]) for line in report(text.encode()).splitlines()]
    assert found == sorted(found)
    assert len(found) == 13
