"""The ruleset in force: read before the first step, then followed; a new one takes over between two steps.

Every worker reads the topic whole, for itself. A ruleset that is wrong is refused, and the one before stays in force.
"""

import asyncio
from collections.abc import Callable

import msgspec
import structlog
from mode import Service

from app.cli.errors import UsageProblem
from app.kafka.compacted import Changes, Values, follow, read, write
from app.kafka.topics import TopicError
from app.ops.metrics import Metrics
from app.ops.settings import Settings
from app.rules.book import RuleBook
from app.rules.compiling import compile_ruleset
from app.rules.policy import BUILT_IN
from app.rules.problems import RulesetError
from app.rules.reading import read_ruleset
from app.rules.records import KEY, assembled
from schemas.control import Refusal, RulesetStatus
from schemas.topics import RULESET_STATUS, RULESETS

log = structlog.get_logger(__name__)

_MOST_TOLD = 2_000  # characters of a refusal


def own_rules(settings: Settings) -> RuleBook:
    """The rule book that the settings name; that without rules where they name none.

    Raises:
        UsageProblem: its file is no ruleset.
    """
    if settings.ruleset is None:
        return BUILT_IN
    try:
        return compile_ruleset(read_ruleset(settings.ruleset))
    except RulesetError as error:
        raise UsageProblem(
            f"{settings.ruleset} is no ruleset: {error}; `sluice rules check {settings.ruleset}` says more"
        ) from None


async def values_in_force(broker: str) -> Values:
    """What the topic of rulesets holds; nothing where there is none."""
    try:
        return await read(broker, RULESETS)
    except TopicError as error:
        log.warning("no topic of rulesets was read", reason=str(error))
        return {}


class Rulesets:
    """Which ruleset is in force.

    Args:
        own: the rule book where the topic holds none.
        use: is told of every rule book that takes over.
        metrics: are told of those that were taken and refused.
    """

    def __init__(self, own: RuleBook, use: Callable[[RuleBook], None], metrics: Metrics) -> None:
        self.book = own
        self.refused: Refusal | None = None
        self._own = own
        self._use = use
        self._metrics = metrics
        self._values: Values = {}

    def begin(self, values: Values) -> None:
        """Take what the topic holds before anything is decided."""
        if self._changed(dict(values)):
            self._take(self._outcome())

    async def take(self, changes: Changes) -> None:
        """Take over what changed in the topic.

        It is compiled beside the event loop, since a list of a million entries takes a second.
        """
        if self._changed(changes):
            self._take(await asyncio.to_thread(self._outcome))

    def _changed(self, changes: Changes) -> bool:
        """Note what changed; tells whether another ruleset may follow from it."""
        before = self._values.get(KEY)
        self._values |= {key: value for key, value in changes.items() if value is not None}
        for key in [key for key, value in changes.items() if value is None]:
            self._values.pop(key, None)
        return self._values.get(KEY) != before or self.refused is not None

    def _outcome(self) -> RuleBook | RulesetError:
        try:
            return self._compiled()
        except RulesetError as error:
            return error

    def _take(self, outcome: RuleBook | RulesetError) -> None:
        if isinstance(outcome, RulesetError):
            self._refuse(outcome)
        else:
            self._put(outcome)

    def _compiled(self) -> RuleBook:
        ruleset = assembled(self._values)
        return self._own if ruleset is None else compile_ruleset(ruleset)

    def _put(self, book: RuleBook) -> None:
        self.book, self.refused = book, None
        self._use(book)
        self._metrics.ruleset("accepted")
        log.info("a ruleset is in force", version=book.version, rules=len(book.rules))

    def _refuse(self, error: RulesetError) -> None:
        told = "; ".join(str(problem).replace("\n", " | ") for problem in error.problems)[:_MOST_TOLD]
        self.refused = Refusal(_version(self._values.get(KEY, b"")), told)
        self._metrics.ruleset("refused")
        log.error("a ruleset was refused", in_force=self.book.version, reason=told)


def _version(value: bytes) -> str:
    """The version that a record says it is of, as far as it can be read."""
    try:
        found = msgspec.json.decode(value)["ruleset"]
        return f"{found['id']}/{found['version']}"[:256]
    except (msgspec.DecodeError, KeyError, TypeError):
        return "unreadable"


class RulesetService(Service):  # type: ignore[misc]
    """Runs beside the app: follows the topic of rulesets and says which is in force.

    Args:
        settings: of the worker.
        rulesets: that are told of changes.
        now_ms: the wall clock, ms since the epoch.
    """

    def __init__(self, settings: Settings, rulesets: Rulesets, now_ms: Callable[[], int], **options: object) -> None:
        super().__init__(**options)
        self._settings = settings
        self._rulesets = rulesets
        self._now_ms = now_ms

    @Service.task  # type: ignore[untyped-decorator]
    async def _follow(self) -> None:
        async for changes in follow(self._settings.broker, RULESETS):
            await self._rulesets.take(changes)
            await self._tell()

    async def _tell(self) -> None:
        settings, rulesets = self._settings, self._rulesets
        status = RulesetStatus(
            settings.group, settings.instance, rulesets.book.version, self._now_ms(), rulesets.refused
        )
        await tell(settings.broker, status)


async def tell(broker: str, status: RulesetStatus) -> None:
    """Say what a worker goes by; where that cannot be said, the log does."""
    key = f"{status.group}/{status.instance}".encode()
    try:
        await write(broker, RULESET_STATUS, {key: msgspec.json.encode(status)})
    except (TimeoutError, TopicError) as error:
        log.warning("the status of the ruleset was not sent", reason=str(error))
