"""What `fastlint host` tells: the cores and the memory at hand, and where each figure comes from. Detects nothing."""

from __future__ import annotations

import json

from fastlint.amounts import shown_bytes, shown_cores
from fastlint.machine import Figure, Machine

VERSION = 1  # of the JSON form


def show_machine(machine: Machine) -> str:
    """The machine for people: what counts, then every figure that was found; `*` marks the ones that count."""
    rows = [
        f"cores   {_shown(machine.cores)} ({machine.cores.source})",
        f"memory  {_shown(machine.memory)} ({machine.memory.source})",
        "",
    ]
    counting = (machine.cores, machine.memory)
    width = max(len(_shown(each)) for each in machine.figures)
    for each in sorted(machine.figures, key=lambda figure: figure.resource):
        mark = "*" if each in counting else " "
        rows.append(f"{mark} {each.resource:<6}  {_shown(each):>{width}}  {each.source}")
    return "\n".join(rows) + "\n"


def show_machine_json(machine: Machine) -> str:
    """The machine for programs: cores, bytes, and sources."""
    figures = [{"resource": each.resource, "value": each.value, "source": each.source} for each in machine.figures]
    document = {
        "version": VERSION,
        "cores": {"value": machine.cores.value, "source": machine.cores.source},
        "memory": {"value": machine.memory.value, "source": machine.memory.source},
        "figures": figures,
    }
    return json.dumps(document, indent=2) + "\n"


def _shown(figure: Figure) -> str:
    return shown_cores(figure.value) if figure.resource == "cores" else shown_bytes(figure.value)
