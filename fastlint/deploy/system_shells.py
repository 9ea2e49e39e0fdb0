"""Which shell `sh` is in an image, as far as the name of the image that it stands on tells. Looks nothing up.

Sources: Debian's and Ubuntu's `sh` is dash, Alpine's that of busybox (ash), and bash is that of Fedora, of Red Hat and
what is built from it, of Amazon Linux, openSUSE and Arch Linux. Docker's official images of languages stand on Debian
unless their tag says otherwise.
"""

from __future__ import annotations

import re

from fastlint.deploy.service import HOLE

UNKNOWN_SH = "sh"  # one of them, and nothing says which
_SYSTEMS = {  # words of names and tags; the first shell that is named counts: `oraclelinux:9-slim`
    "ash": frozenset({"alpine", "busybox", "wolfi"}),
    "bash": frozenset(
        "fedora rockylinux rocky almalinux centos ubi rhel redhat oraclelinux amazonlinux opensuse archlinux".split()
    ),
    "dash": frozenset("debian ubuntu bookworm bullseye buster trixie slim noble jammy focal bionic".split()),
}
_OFFICIAL = frozenset({"python", "pypy", "node", "buildpack-deps"})
_OFFICIAL_HOMES = frozenset({"", "library", "docker.io", "docker.io/library", "public.ecr.aws/docker/library"})


def sh_of(image: str) -> str:
    """The shell that is `sh` in an image of this name: "dash", "ash", "bash", or `UNKNOWN_SH`."""
    name, _, digest = image.lower().partition("@")
    words = set(re.findall(r"[a-z]+", name))
    for shell, systems in _SYSTEMS.items():
        if words & systems:
            return shell
    home, _, last = name.rpartition("/")
    called, _, tag = last.partition(":")
    if called in _OFFICIAL and home in _OFFICIAL_HOMES and HOLE not in tag and not (digest and not tag):
        return "dash"
    return UNKNOWN_SH
