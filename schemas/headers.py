"""Record headers: CloudEvents on outputs, the diagnosis on dead letters. Header values are UTF-8 text."""

from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import fields

from schemas.outputs import FailureType

DecimalText = Annotated[str, Meta(pattern="^[0-9]+$")]


class CloudEventHeaders(Struct, frozen=True, omit_defaults=True, rename={"content_type": "content-type"}):
    """CloudEvents 1.0 in binary mode (Kafka protocol binding §3.2), and the trace context passed through.

    `ce_type` ends in the contract's major version; `ce_time` is the event time in RFC 3339, of
    a dead letter the time of the input's record.
    """

    ce_id: str
    ce_type: str
    ce_source: str
    ce_time: str
    ce_specversion: str = "1.0"
    content_type: str = "application/json"
    traceparent: Annotated[str | None, Meta(description="W3C trace context of the input.")] = None


class DeadLetterHeaders(
    Struct,
    frozen=True,
    rename={
        "topic": "__connect.errors.topic",
        "partition": "__connect.errors.partition",
        "offset": "__connect.errors.offset",
        "stage": "__connect.errors.stage",
        "exception_class": "__connect.errors.exception.class.name",
        "exception_message": "__connect.errors.exception.message",
        "failure_type": "x-failure-type",
    },
):
    """Why a record was set aside: Kafka Connect's names (KIP-298), and our failure type.

    The dead letter's key and value are the original bytes; topic, partition and offset say where they were.
    """

    topic: str
    partition: DecimalText
    offset: DecimalText
    stage: Annotated[str, Meta(description="Where it failed, such as decode, align or score.")]
    exception_class: str
    exception_message: str
    failure_type: FailureType


DEAD_LETTER_HEADERS: Final[tuple[str, ...]] = tuple(part.encode_name for part in fields(DeadLetterHeaders))
CLOUD_EVENT_HEADERS: Final[tuple[str, ...]] = tuple(part.encode_name for part in fields(CloudEventHeaders))
