"""What one worker needs in memory: declared, else a rule of thumb raised by what the code imports. Measures nothing."""

from __future__ import annotations

from typing import NamedTuple

from fastlint.amounts import shown_bytes
from fastlint.project import Project

_MIB = 1024 * 1024
_LEAST, _MOST = 50 * _MIB, 200 * _MIB  # rule of thumb; a bare FastAPI worker measured 45-48 MiB (server-settings.md)

# MiB of resident memory that the import alone adds, measured on Linux x86-64 with CPython 3.11 and the releases of
# November 2026; what the models and frames themselves need comes on top.
HEAVY_IMPORTS = {
    "cv2": 33,
    "matplotlib": 57,
    "numpy": 17,
    "onnxruntime": 37,
    "openai": 40,
    "pandas": 94,
    "polars": 38,
    "pyarrow": 44,
    "scipy": 91,
    "sklearn": 180,
    "spacy": 84,
    "transformers": 51,
}


class WorkerMemory(NamedTuple):
    """Bytes that one worker needs, between two bounds, and where they come from."""

    least: float
    most: float
    source: str
    declared: bool = False

    def __str__(self) -> str:
        return _range(self.least, self.most)

    def times(self, workers: int) -> str:
        """What so many workers need together."""
        return _range(self.least * workers, self.most * workers)


def memory_per_worker(project: Project) -> WorkerMemory:
    """What the settings say a worker needs; else 50-200 MiB and what the heaviest known imports add."""
    declared = project.settings.memory_per_worker
    if declared is not None:
        return WorkerMemory(declared.value, declared.value, f"memory per worker: {declared.by}", declared=True)
    heavy = {name: HEAVY_IMPORTS[name] for name in sorted(HEAVY_IMPORTS) if _imported(project, name)}
    added = max(heavy.values(), default=0) * _MIB  # they share what they import themselves: the greatest, not the sum
    source = "assumed: a worker needs 50-200 MiB (rule of thumb; `memory-per-worker` of [tool.fastlint.target] sets it)"
    if heavy:
        largest = max(heavy, key=lambda name: heavy[name])
        source += f", and {heavy[largest]} MiB more for importing {largest}"
    return WorkerMemory(_LEAST + added, _MOST + added, source)


def _imported(project: Project, package: str) -> bool:
    """Whether a module of the application imports a package."""
    for module in project.graph.world.modules.values():
        if module.kind == "app":
            for level, target, _ in module.facts.imports:
                if level == 0 and (target == package or target.startswith(f"{package}.")):
                    return True
    return False


def _range(least: float, most: float) -> str:
    return shown_bytes(least) if least == most else f"{shown_bytes(least)}-{shown_bytes(most)}"
