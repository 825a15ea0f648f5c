"""Logs: to standard error only, as console lines or JSON, ours and the libraries' through one handler."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import Processor

# They say at INFO what Sluice says itself, once per partition and rebalance.
LIBRARIES = ("faust", "mode", "aiokafka", "asyncio", "aiohttp", "kafka")


def configure_logs(level: str = "info", log_format: Literal["console", "json"] = "console") -> None:
    """Send every log line of ``level`` (a name) or worse to standard error.

    Libraries start at WARNING, at INFO where ``level`` is debug.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logging.basicConfig(level=threshold, handlers=[_handler(shared, log_format)], force=True)
    for library in LIBRARIES:
        logger = logging.getLogger(library)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(threshold, logging.WARNING) if threshold > logging.DEBUG else logging.INFO)
    logging.captureWarnings(True)


def _handler(shared: list[Processor], log_format: str) -> logging.Handler:
    ending: list[Processor]
    if log_format == "json":
        ending = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Not the pretty traceback: it prints the local variables, and those hold people's data.
        plain = structlog.dev.plain_traceback
        ending = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    return handler
