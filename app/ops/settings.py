"""What a worker can be told: flags, over ``SLUICE_*`` variables, over ``sluice.toml``, over the defaults."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from app.cli.errors import UsageProblem

PREFIX = "SLUICE_"
FILE = Path("sluice.toml")
Guarantee = Literal["exactly_once", "at_least_once"]

_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS
_KIB = 1024
_MIB = 1024 * _KIB


def _state_home() -> Path:
    """The folder for state that outlives a process (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "sluice"


def _model_repository() -> Path:
    return Path(__file__).resolve().parent.parent.parent / "onnx"


class Settings(BaseSettings):
    """Every setting, checked; make one with :func:`load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        toml_file=FILE,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
    )

    broker: str = Field("127.0.0.1:9092", description="the Kafka to use, HOST:PORT, several with commas")
    group: str = Field("sluice", pattern=r"^[A-Za-z0-9._-]{1,200}$", description="consumer group of the workers")
    instance: str = Field(
        "worker-1",
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$",
        description="name of this worker: its static group member and its folder of state",
    )
    session_timeout_ms: int = Field(
        10_000,
        ge=1_000,
        le=1_800_000,
        description="ms without a heartbeat until Kafka gives the partitions away",
    )
    partitions: int = Field(8, ge=1, le=10_000, description="partitions of every topic")
    guarantee: Guarantee = Field("exactly_once", description="how often an input's outputs are seen")

    state_dir: Path = Field(default_factory=_state_home, description="folder of the local stores")
    session_gap_ms: int = Field(30 * _MINUTE_MS, ge=1_000, description="ms of silence that end a session")
    grace_ms: int = Field(_MINUTE_MS, ge=0, description="ms an event may be late and still count")
    history_ttl_ms: int = Field(
        30 * _DAY_MS,
        ge=1_000,
        description="ms a user's history outlives the last event; at least session_gap_ms",
    )
    max_idle_ms: int = Field(3, ge=0, le=60_000, description="ms alignment waits for a topic that has no more records")

    max_batch_records: int = Field(8_192, ge=1, le=1_000_000, description="records of one batch, at most")
    max_batch_bytes: int = Field(4 * _MIB, ge=_KIB, le=256 * _MIB, description="bytes of one batch, at most")
    max_value_bytes: int = Field(
        _MIB, ge=_KIB, le=64 * _MIB, description="bytes of an input value; a larger one is a dead letter"
    )

    model_repository: Path = Field(
        default_factory=_model_repository, description="folder of models, <name>/<version>/model.onnx"
    )
    intent_model: str = Field("intent", min_length=1, description="name of the model that scores clicks")
    intent_version: str | None = Field(None, min_length=1, description="its version (unset: the newest)")
    risk_model: str = Field("risk", min_length=1, description="name of the model that scores orders")
    risk_version: str | None = Field(None, min_length=1, description="its version (unset: the newest)")
    text_model: str = Field("text", min_length=1, description="name of the model that reads texts")
    text_version: str | None = Field(None, min_length=1, description="its version (unset: the newest)")
    ruleset: Path | None = Field(
        None, description="file of the ruleset that is in force until topic rulesets has one (unset: no rules)"
    )
    provider: Literal["auto", "cpu", "cuda"] = Field("auto", description="what runs the models")
    model_window: int = Field(2_000, ge=100, description="scores by which a version on probation is judged at a time")
    model_probation: int = Field(50_000, ge=0, description="scores for which a promoted version is on probation")
    model_max_failures: float = Field(
        0.01, ge=0, le=1, description="share of scores that are no finite numbers at which a version is taken out"
    )
    model_max_slowdown: float = Field(
        3.0, ge=1, description="times the other version's model time at which a version is taken out"
    )
    model_max_shift: float = Field(
        0.25, gt=0, description="PSI of its scores against the other version's at which a version is taken out"
    )

    drift_window_ms: int = Field(
        _DAY_MS, ge=0, description="ms of event time over which drift of the models is measured; 0: it is not"
    )
    drift_one_in: int = Field(16, ge=1, le=1_000_000, description="one in so many clicks is looked at for drift")
    drift_min_rows: int = Field(1_000, ge=1, description="looked at, by which a window is judged at the least")
    drift_max_psi: float = Field(0.25, gt=0, description="population stability index above which there is an alert")

    explain_above: float | None = Field(
        None, ge=0, le=1, description="purchase probability from which intent events carry reasons (unset: none do)"
    )

    velocity_deadline_ms: int = Field(
        250,
        ge=0,
        le=60_000,
        description="ms an order waits for the velocities of its entities; after that it is judged with what is there",
    )

    cloudevents_headers: bool = Field(True, description="whether outputs carry CloudEvents headers")
    watchdog_s: float = Field(60.0, ge=1, le=86_400, description="s of lag without progress that end the worker")
    http_host: str = Field("127.0.0.1", min_length=1, description="address that health and metrics listen on")
    http_port: int = Field(6066, ge=0, le=65_535, description="port of health and metrics; 0 takes any free one")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe log line")
    log_format: Literal["console", "json"] = Field("console", description="how log lines look")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then variables, then the file; the first that names a setting wins."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator("broker")
    @classmethod
    def _addresses(cls, broker: str) -> str:
        addresses = [address.strip() for address in broker.split(",")]
        for address in addresses:
            host, _, port = address.rpartition(":")
            if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
                raise ValueError(f"must be HOST:PORT, several with commas; {address!r} is not")
        return ",".join(addresses)

    @field_validator("history_ttl_ms")
    @classmethod
    def _outlives_session(cls, history_ttl_ms: int, info: ValidationInfo) -> int:
        gap = info.data.get("session_gap_ms", 0)
        if history_ttl_ms < gap:
            raise ValueError(f"must be at least session_gap_ms, {gap}: a history outlives its session")
        return history_ttl_ms

    @field_validator("state_dir", "model_repository")
    @classmethod
    def _home(cls, folder: Path) -> Path:
        return folder.expanduser()


def load_settings(**flags: object) -> Settings:
    """Settings of this run; a flag that is None was not given, and the file is that of the working directory.

    Raises:
        UsageProblem: a value is not allowed, a key of the file is unknown, or the file is not TOML.
    """
    given: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = "; ".join(_problem(detail, given) for detail in error.errors(include_url=False))
        raise UsageProblem(problems) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{FILE} is not valid TOML: {error}") from None
    except OSError as error:
        raise UsageProblem(f"{FILE} cannot be read: {error.strerror}") from None


def _problem(detail: ErrorDetails, flags: Mapping[str, object]) -> str:
    name = str(detail["loc"][0])
    origin = _origin(name, flags)
    if detail["type"] == "extra_forbidden":
        return f"{name!r} ({origin}) is no setting; the settings are {', '.join(Settings.model_fields)}"
    rule = re.sub(r"^(Value error, |(Input|String) should )", _rule_start, detail["msg"])
    return f"{name} is {detail['input']!r} ({origin}): {rule} ({Settings.model_fields[name].description})"


def _rule_start(found: re.Match[str]) -> str:
    return "" if found[0].startswith("Value") else "must "


def _origin(name: str, flags: Mapping[str, object]) -> str:
    variable = PREFIX + name.upper()
    if name in flags:
        return f"from --{name.replace('_', '-')}"
    if any(key.upper() == variable and value for key, value in os.environ.items()):
        return f"from {variable}"
    in_file = FILE.is_file() and name in tomllib.loads(FILE.read_text(encoding="utf-8"))
    return f"from {FILE}" if in_file else "the default"
