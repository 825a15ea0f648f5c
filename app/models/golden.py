"""Golden batches: a few inputs with the outputs that the model gave when it was stored.

A version that does not give them again, on the machine and with the runtime that are to use it, is not used.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.models.manifest import Golden, Tensor
from app.models.session import Session

TOLERANCE = 1e-4
"""Absolute, and relative to the stored output."""

_ROWS = 4
_SEED = 7
_DIGITS = 8  # tells every float32 apart, nearly

Batch = Mapping[str, NDArray[Any]]


def golden_of(session: Session, inputs: Batch, outputs: Sequence[str]) -> Golden:
    """The golden batch that ``session`` makes of ``inputs``, with these ``outputs``.

    Raises:
        UsageProblem: an output is not finite.
    """
    made = dict(zip(outputs, session.run(list(outputs), dict(inputs)), strict=True))
    if wrong := [name for name, values in made.items() if not np.isfinite(values).all()]:
        raise UsageProblem(f"the model gives numbers that are not finite ({', '.join(wrong)}); train it again")
    return Golden(
        {name: values.tolist() for name, values in inputs.items()},
        {name: _rounded(values) for name, values in made.items()},
    )


def sample_inputs(tensors: Sequence[Tensor]) -> dict[str, NDArray[np.float32]]:
    """Inputs for a golden batch of a model that takes rows of float32: one row of zeros, and some of any size.

    Args:
        tensors: the model's inputs, each of shape [n, columns].
    """
    rng = np.random.default_rng(_SEED)
    found = {}
    for tensor in tensors:
        shape = (_ROWS, int(tensor.shape[1]))
        sizes = 10 ** rng.uniform(-3, 1, shape)
        values = rng.uniform(-1, 1, shape) if tensor.name == "hidden" else rng.exponential(1, shape) * sizes
        values[0] = 0
        found[tensor.name] = np.round(values, 3).astype(np.float32)
    return found


def check_golden(session: Session, golden: Golden, dtypes: Mapping[str, str]) -> None:
    """See that ``session`` gives the golden outputs again.

    Args:
        session: of the model.
        golden: from its manifest.
        dtypes: of the model's inputs by name; float32 where none is named.

    Raises:
        UsageProblem: it does not, or does not take the golden inputs.
    """
    inputs = {name: np.array(rows, dtypes.get(name, "float32")) for name, rows in golden.inputs.items()}
    try:
        made = session.run(list(golden.outputs), inputs)
    except Exception as error:  # ONNX Runtime has no narrower type
        raise UsageProblem(f"it does not take its golden batch ({error})") from error
    for (name, rows), found in zip(golden.outputs.items(), made, strict=True):
        _check_output(name, np.array(rows, np.float64), np.asarray(found, np.float64))


def _check_output(name: str, wanted: NDArray[np.float64], found: NDArray[np.float64]) -> None:
    if found.shape != wanted.shape:
        raise UsageProblem(f"its golden output {name} has shape {list(wanted.shape)}, here it is {list(found.shape)}")
    if not np.isfinite(found).all():
        raise UsageProblem(f"its golden output {name} has numbers that are not finite here")
    off = np.abs(found - wanted) - TOLERANCE * np.maximum(1, np.abs(wanted))
    if off.size and off.max() > 0:
        place = np.unravel_index(int(off.argmax()), off.shape)
        where = ", ".join(str(index) for index in place)
        raise UsageProblem(
            f"it does not give its golden batch again: {name}[{where}] is {found[place]:.6g} here, "
            f"and was {wanted[place]:.6g} when it was stored (at most {TOLERANCE:g} apart)"
        )


def _rounded(values: NDArray[Any]) -> list[Any]:
    wide = np.asarray(values, np.float64)
    flat: list[float] = [float(f"{value:.{_DIGITS}g}") for value in wide.ravel().tolist()]
    shaped: list[Any] = np.array(flat).reshape(wide.shape).tolist()
    return shaped
