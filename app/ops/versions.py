"""What runs here: the versions a report or a bug needs."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("sluice", "faust-streaming", "aiokafka", "onnxruntime", "onnxruntime-gpu", "rocksdict", "numpy")


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that matter, by name; imports none of them."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | {"python": platform.python_version()}
