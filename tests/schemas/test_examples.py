"""Every example ever published parses for ever."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

import schemas
from schemas.documents import SCHEMA_NAMES, json_schemas
from schemas.events import CLICK_TYPES, CONTRACT_VERSION, LABELS, ORDER_TYPES

EXAMPLES = Path(schemas.__file__).parent / "examples"
VALIDATORS = {name: jsonschema_rs.validator_for(schema) for name, schema in json_schemas().items()}

WANTED = {
    *(f"clickstream.{name}" for name in CLICK_TYPES),
    *(f"orders.{name}" for name in ORDER_TYPES),
    *(f"labels.{name}" for name in LABELS),
    *(set(SCHEMA_NAMES) - {"clickstream", "orders", "labels"}),
}
FILES = sorted(EXAMPLES.glob("*/*.json"))


def load(path: Path) -> dict[str, dict[str, Any]]:
    examples: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return examples


def schema_name(path: Path) -> str:
    return path.parent.name.partition(".")[0]


def test_every_type_has_examples_of_this_version() -> None:
    assert {path.parent.name for path in FILES if path.stem == CONTRACT_VERSION} == WANTED


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
@pytest.mark.parametrize("which", ["complete", "minimal"])
def test_examples_parse_and_validate(path: Path, which: str) -> None:
    name, example = schema_name(path), load(path)[which]
    event = msgspec.json.decode(json.dumps(example), type=SCHEMA_NAMES[name])
    read = dict(zip(event.__struct_encode_fields__, msgspec.structs.astuple(event), strict=True))
    assert {field: msgspec.to_builtins(read[field]) for field in example} == example
    VALIDATORS[name].validate(example)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_name_of_an_example_is_its_type(path: Path) -> None:
    name, _, kind = path.parent.name.partition(".")
    if kind:
        field = "label" if name == "labels" else "type"
        assert {example[field] for example in load(path).values()} == {kind}


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_complete_examples_show_every_field(name: str) -> None:
    shown: set[str] = set()
    for path in FILES:
        if schema_name(path) == name and path.stem == CONTRACT_VERSION:
            shown |= load(path)["complete"].keys()
    assert shown == set(SCHEMA_NAMES[name].__struct_encode_fields__)
