"""The committed documents are those the contracts make, and they are sound."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given

import schemas
from app.cli.schema import schema as schema_command
from schemas.documents import asyncapi, documents, export, json_schemas
from schemas.events import InputEvent, visitor
from schemas.topics import INPUTS, OUTPUTS, TOPICS
from tests.schemas.strategies import clicks, orders, unhurried

GENERATED = Path(schemas.__file__).parent / "generated"
RENEW = "the committed documents differ from the contracts; renew them with: sluice schema export schemas/generated"

CLICK = {"event_id": "e", "type": "page_viewed", "ts": 1_764_064_800_000}
CLICK_VALIDATOR = jsonschema_rs.validator_for(json_schemas()["clickstream"])
ORDER_VALIDATOR = jsonschema_rs.validator_for(json_schemas()["orders"])


def test_the_committed_documents_are_up_to_date(tmp_path: Path) -> None:
    made = {path.name: path.read_text("utf-8") for path in export(tmp_path)}
    committed = {path.name: path.read_text("utf-8") for path in GENERATED.iterdir()}
    assert made == committed, RENEW


@pytest.mark.parametrize(("name", "schema"), json_schemas().items())
def test_every_schema_is_valid_and_describes_itself(name: str, schema: dict[str, Any]) -> None:
    jsonschema_rs.meta.validate(schema)
    assert schema["$id"] == f"urn:sluice:schema:{name}:1.0"
    assert schema["title"]
    assert schema["description"]


@unhurried
@given(click=clicks, order=orders)
def test_the_schema_accepts_what_the_struct_accepts(click: InputEvent, order: InputEvent) -> None:
    for event, validator in ((click, CLICK_VALIDATOR), (order, ORDER_VALIDATOR)):
        assert validator.is_valid(msgspec.to_builtins(event)) == (visitor(event) is not None)


@pytest.mark.parametrize("identity", [{}, {"user_id": None}, {"user_id": None, "anonymous_id": None}, {"user_id": ""}])
def test_the_schema_demands_a_visitor(identity: dict[str, Any]) -> None:
    assert CLICK_VALIDATOR.is_valid(CLICK | {"anonymous_id": "a"})
    assert not CLICK_VALIDATOR.is_valid(CLICK | identity)


def test_the_schema_lists_the_types() -> None:
    assert not CLICK_VALIDATOR.is_valid(CLICK | {"user_id": "u", "type": "view_item"})


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


@pytest.mark.parametrize(("name", "document"), documents().items())
def test_every_reference_resolves(name: str, document: dict[str, Any]) -> None:
    for reference in references(document):
        node: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in node, f"{name}: {reference}"
            node = node[step]


def test_the_worker_receives_inputs_and_sends_outputs() -> None:
    operations = asyncapi()["operations"].values()
    actions = {operation["channel"]["$ref"].rpartition("/")[2]: operation["action"] for operation in operations}
    assert actions == {topic.name: "receive" for topic in INPUTS} | {topic.name: "send" for topic in OUTPUTS}
    assert list(asyncapi()["channels"]) == [topic.name for topic in TOPICS]


def test_the_command_writes_every_document(tmp_path: Path) -> None:
    result = CliRunner().invoke(schema_command, ["export", str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    assert {path.name: json.loads(path.read_text("utf-8")) for path in (tmp_path / "new").iterdir()} == documents()


def test_the_command_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = CliRunner().invoke(schema_command, ["export", str(tmp_path / "file" / "inside")])
    assert result.exit_code == 1
    assert "cannot write to" in result.output
