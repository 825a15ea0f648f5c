"""What README and operations page say is true: examples parse, commands exist, settings are those of the code."""

import re
from pathlib import Path

import msgspec
import pytest

from app.cli.main import COMMANDS
from app.ops.settings import Settings
from schemas.headers import CloudEventHeaders, DeadLetterHeaders
from schemas.topics import BY_NAME, DEAD_LETTER, TOPICS

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^\*\*`([a-z-]+)`\*\*.*?^```json\n(.*?)\n```", README, re.MULTILINE | re.DOTALL))
PAGES = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]


def test_every_topic_has_one_example() -> None:
    assert set(EXAMPLES) == {topic.name for topic in TOPICS}


@pytest.mark.parametrize("topic", EXAMPLES)
def test_an_example_parses_as_the_contract_and_has_no_other_fields(topic: str) -> None:
    structs = (DeadLetterHeaders, CloudEventHeaders) if topic == DEAD_LETTER else (BY_NAME[topic].struct,)
    text = EXAMPLES[topic]
    found: dict[str, object] = {}
    for struct in structs:
        assert struct is not None
        found |= msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(text, type=struct)))
    assert found == msgspec.json.decode(text)


def test_every_command_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"`?make ([a-z]+)\b(?=[`\s])", "\n".join(_code(text)))) <= targets, page
        assert set(re.findall(r"sluice ([a-z]+)\b", "\n".join(_code(text)))) <= set(COMMANDS), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_operations_page_has_every_setting_as_it_is() -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    expected = [_row(name) for name in Settings.model_fields]
    found = [line for line in page.splitlines() if line.startswith("| `")]
    assert found == expected, "write the table anew:\n" + "\n".join(expected)


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    default = "see below" if field.default_factory else "–" if field.default is None else f"`{field.default}`"
    return f"| `{name}` | {default} | {field.description} |"


def _code(text: str) -> list[str]:
    """Everything that stands as code, in blocks or in lines."""
    return re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
