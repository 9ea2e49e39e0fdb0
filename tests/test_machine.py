"""The machine at hand: limits of control groups on recorded trees, and this very machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fastlint.machine import Counts, count, read_machine
from fastlint.report.host import show_machine, show_machine_json

GIB = 2**30
COUNTS = Counts(logical=16, affinity=16, memory=64 * GIB)
NO_LIMIT = "9223372036854771712"
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1 = tuple(
    f"{number} 25 0:{number} {{top}} /sys/fs/cgroup/{name} rw,nosuid - cgroup cgroup rw,{name}"
    for number, name in ((31, "cpu,cpuacct"), (32, "cpuset"), (33, "memory"))
)


def v1(top: str = "/") -> str:
    return "\n".join(line.format(top=top) for line in V1)


# name: (/proc/self/mountinfo, /proc/self/cgroup, files below /sys/fs/cgroup, cores, whence, memory, whence)
TREES: dict[str, tuple[str, str, dict[str, str], float, str, float, str]] = {
    "no control groups": ("", "", {}, 16, "affinity", 64 * GIB, "physical"),
    "v2, a quota of one and a half": (
        V2,
        "0::/app.slice/web.service",
        {
            "app.slice/web.service/cpu.max": "150000 100000\n",
            "app.slice/web.service/memory.max": f"{2 * GIB}\n",
            "app.slice/cpu.max": "max 100000\n",
            "app.slice/memory.max": "max\n",
        },
        1.5,
        "/sys/fs/cgroup/app.slice/web.service/cpu.max",
        2 * GIB,
        "/sys/fs/cgroup/app.slice/web.service/memory.max",
    ),
    "v2, the parent is narrower than the child": (
        V2,
        "0::/a/b/c",
        {
            "a/cpu.max": "20000 100000",
            "a/b/cpu.max": "max 100000",
            "a/b/c/cpu.max": "400000 100000",
            "a/memory.max": str(4 * GIB),
            "a/b/memory.high": str(GIB),
            "a/b/c/memory.max": "max",
        },
        0.2,
        "/sys/fs/cgroup/a/cpu.max",
        GIB,
        "/sys/fs/cgroup/a/b/memory.high",
    ),
    "v2, a sibling's limit is nobody else's": (
        V2,
        "0::/a/b",
        {"a/other/cpu.max": "10000 100000", "a/b/cpu.max": "max 100000", "ab/cpu.max": "10000 100000"},
        16,
        "affinity",
        64 * GIB,
        "physical",
    ),
    "v2, in a namespace the mount's own files count": (
        V2,
        "0::/",
        {"cpu.max": "50000 100000", "memory.max": str(512 * 2**20), "cpuset.cpus.effective": "0-1,4"},
        0.5,
        "/sys/fs/cgroup/cpu.max",
        512 * 2**20,
        "/sys/fs/cgroup/memory.max",
    ),
    "v2, a process moved out of its namespace": (
        V2,
        "0::/../sibling",
        {"cpu.max": "300000 100000"},
        3,
        "/sys/fs/cgroup/cpu.max",
        64 * GIB,
        "physical",
    ),
    "v2, a period that is not the usual one": (
        V2,
        "0::/x",
        {"x/cpu.max": "25000 50000"},
        0.5,
        "cpu.max",
        64 * GIB,
        "physical",
    ),
    "v2, a set of three CPUs": (
        V2,
        "0::/x",
        {"x/cpuset.cpus.effective": "0-1,4\n"},
        3,
        "cpuset.cpus.effective",
        64 * GIB,
        "physical",
    ),
    "v1, nested": (
        v1(),
        "5:memory:/docker/1\n4:cpuset:/docker/1\n3:cpu,cpuacct:/docker/1/inner\n1:name=systemd:/docker/1",
        {
            "cpu,cpuacct/docker/1/cpu.cfs_quota_us": "20000\n",
            "cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000\n",
            "cpu,cpuacct/docker/1/inner/cpu.cfs_quota_us": "-1\n",
            "cpu,cpuacct/docker/1/inner/cpu.cfs_period_us": "100000\n",
            "cpuset/docker/1/cpuset.cpus": "0-7\n",
            "memory/docker/1/memory.limit_in_bytes": f"{GIB}\n",
            "memory/memory.limit_in_bytes": f"{NO_LIMIT}\n",
        },
        0.2,
        "/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us",
        GIB,
        "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes",
    ),
    "v1, no limit": (
        v1(),
        "5:memory:/\n4:cpuset:/\n3:cpu,cpuacct:/",
        {
            "cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": NO_LIMIT,
        },
        16,
        "affinity",
        64 * GIB,
        "physical",
    ),
    "Kubernetes v1, the mount shows the pod's own group as its root": (
        v1("/kubepods/burstable/pod1/abc"),
        "5:memory:/kubepods/burstable/pod1/abc\n4:cpuset:/kubepods/burstable/pod1/abc\n"
        "3:cpu,cpuacct:/kubepods/burstable/pod1/abc",
        {
            "cpu,cpuacct/cpu.cfs_quota_us": "50000",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": str(256 * 2**20),
        },
        0.5,
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us",
        256 * 2**20,
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ),
    "Kubernetes v2, seen from the node: pod and container both have limits": (
        V2,
        "0::/kubepods.slice/kubepods-burstable.slice/pod7.slice/cri-1.scope",
        {
            "kubepods.slice/cpu.max": "max 100000",
            "kubepods.slice/kubepods-burstable.slice/pod7.slice/cpu.max": "250000 100000",
            "kubepods.slice/kubepods-burstable.slice/pod7.slice/cri-1.scope/cpu.max": "200000 100000",
            "kubepods.slice/kubepods-burstable.slice/pod7.slice/memory.max": str(3 * GIB),
            "kubepods.slice/kubepods-burstable.slice/pod7.slice/cri-1.scope/memory.max": str(2 * GIB),
        },
        2,
        "cri-1.scope/cpu.max",
        2 * GIB,
        "cri-1.scope/memory.max",
    ),
    "hybrid, controllers in v1 beside an empty v2": (
        v1() + "\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
        "4:memory:/box\n3:cpuset:/\n1:cpu,cpuacct:/\n0::/",
        {
            "cpu,cpuacct/cpu.cfs_quota_us": "100000",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/box/memory.limit_in_bytes": str(8 * GIB),
            "unified/cgroup.procs": "1",
        },
        1,
        "cpu.cfs_quota_us",
        8 * GIB,
        "/sys/fs/cgroup/memory/box/memory.limit_in_bytes",
    ),
    "nonsense is no limit": (
        V2 + "\nnot a mount\n",
        "0::/x\nrubbish",
        {"x/cpu.max": "\x00\xff", "x/memory.max": "-5", "x/cpuset.cpus.effective": "3-,x"},
        16,
        "affinity",
        64 * GIB,
        "physical",
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_the_smallest_figure_counts_and_says_whence(name: str, tmp_path: Path) -> None:
    mounts, groups, files, cores, cores_from, memory, memory_from = TREES[name]
    own = tmp_path / "proc/self"
    own.mkdir(parents=True)
    (own / "mountinfo").write_text(mounts)
    (own / "cgroup").write_text(groups)
    for path, content in files.items():
        file = tmp_path / "sys/fs/cgroup" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    machine = read_machine(str(tmp_path), COUNTS)
    assert (machine.cores.value, machine.memory.value) == (cores, memory)
    if cores < 16:
        assert machine.cores.source.endswith(cores_from)
    if memory < 64 * GIB:
        assert machine.memory.source.endswith(memory_from)


def test_affinity_is_a_limit(tmp_path: Path) -> None:
    machine = read_machine(str(tmp_path), Counts(16, 3, GIB))
    assert (machine.cores.value, machine.cores.source) == (3, "CPU affinity of this process")
    assert read_machine(str(tmp_path), Counts(16, None, GIB)).cores.value == 16


def test_another_process_has_the_limits_of_its_own_groups(tmp_path: Path) -> None:
    for process, group in (("self", "/mine"), ("7", "/other"), ("8", "/../unseen")):
        folder = tmp_path / "proc" / process
        folder.mkdir(parents=True)
        (folder / "cgroup").write_text(f"0::{group}\n")
        (folder / "mountinfo").write_text(V2)
    for group, cores in (("mine", 1), ("other", 2)):
        folder = tmp_path / "sys/fs/cgroup" / group
        folder.mkdir(parents=True)
        (folder / "cpu.max").write_text(f"{cores}00000 100000")
    assert read_machine(str(tmp_path), COUNTS).cores.value == 1
    other = read_machine(str(tmp_path), COUNTS, pid=7)
    assert (other.cores.value, other.hidden) == (2, False)
    assert "CPU affinity of process 7" in {figure.source for figure in other.figures}
    unseen = read_machine(str(tmp_path), COUNTS, pid=8)
    assert (unseen.cores.value, unseen.hidden) == (16, True)  # the groups of this process are not those of another


def test_this_machine_is_no_larger_than_its_parts() -> None:
    machine, counts = read_machine(), count()
    assert 0 < machine.cores.value <= counts.logical == os.cpu_count()
    assert 0 < machine.memory.value <= counts.memory
    assert machine.cores in machine.figures


def test_the_machine_is_told_to_people_and_to_programs(tmp_path: Path) -> None:
    machine = read_machine(str(tmp_path), Counts(4, 2, 3 * GIB))
    assert show_machine(machine) == (
        "cores   2 (CPU affinity of this process)\n"
        "memory  3 GiB (physical memory of the system)\n"
        "\n"
        "  cores       4  logical CPUs of the system\n"
        "* cores       2  CPU affinity of this process\n"
        "* memory  3 GiB  physical memory of the system\n"
    )
    document = json.loads(show_machine_json(machine))
    assert document["version"] == 1
    assert document["cores"] == {"value": 2, "source": "CPU affinity of this process"}
    assert document["memory"]["value"] == 3 * GIB
    assert len(document["figures"]) == 3
