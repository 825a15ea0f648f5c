"""ONNX Runtime sessions: one thread each, on the CPU or on CUDA."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, Protocol

import numpy as np
import onnxruntime
import structlog
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.models.bound import BoundSession
from app.models.repository import StoredModel

Provider = Literal["auto", "cpu", "cuda"]

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"


class Session(Protocol):
    """What is used of `onnxruntime.InferenceSession`."""

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """The named outputs for these inputs."""
        ...

    def get_providers(self) -> list[str]:
        """What runs the graph, best first."""
        ...


def open_session(model: StoredModel, provider: Provider) -> Session:
    """A session of ``model``; on CUDA, with bound inputs and outputs.

    ``auto`` takes CUDA where this ONNX Runtime has it; where CUDA was wanted and does not work, the session runs on
    the CPU and one warning says so, once per reason and process.

    Raises:
        UsageProblem: ONNX Runtime does not accept the file.
    """
    providers = _providers(provider)
    try:
        session = session_of(model.graph, providers)
    except Exception as error:
        if _CUDA not in providers:
            raise UsageProblem(
                f"ONNX Runtime cannot load {model.path} ({error}); "
                f"restore it, or run `sluice train {model.manifest.kind}`"
            ) from error
        _warn_once(f"CUDA does not start ({error})")
        return open_session(model, "cpu")
    if _CUDA not in providers:
        return session
    if _CUDA in session.get_providers():
        return BoundSession(session)
    _warn_once("CUDA does not start (see ONNX Runtime's requirements for CUDA and cuDNN)")
    return session


def _providers(provider: Provider) -> list[str]:
    if provider == "cpu":
        return [_CPU]
    if _CUDA in onnxruntime.get_available_providers():
        return [_CUDA, _CPU]
    if provider == "cuda":
        _warn_once("this ONNX Runtime has no CUDA (install the extra `gpu` instead of `cpu`)")
    return [_CPU]


def session_of(graph: bytes, providers: Sequence[str] = (_CPU,)) -> Session:
    """A session of a serialised graph, on the CPU unless told otherwise."""
    options = onnxruntime.SessionOptions()
    # A second thread costs more in waiting than it saves at these sizes; workers scale by process.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session: Session = onnxruntime.InferenceSession(graph, options, providers=list(providers))
    return session


@cache
def _warn_once(reason: str) -> None:
    structlog.get_logger(__name__).warning("models run on the CPU instead of CUDA", reason=reason)
