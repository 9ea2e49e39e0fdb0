"""Which stage of which Dockerfile a container runs, where something says so: a build, a name, a port.

Guesses nothing: an image that only could be the project's own is none of its images, however few there are. No list of
well-known images stands behind that; what is not named or declared here is somebody else's.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from fastlint.deploy.plan import Command
from fastlint.deploy.service import HOLE, Kind, Readings, Service

_DEEPEST = 5
# Words that name the part that a service plays and not whose it is, the surest first. An image called by one of them
# alone is the project's own, if the project has one that serves and nothing else to call so.
_ROLES = ("api", "backend", "fastapi", "server", "service", "app", "application", "web")
_TAILS = frozenset({"api", "backend", "server", "service", "svc", "app", "image", "docker"})  # `orders-api`: `orders`
_FOLDERS = frozenset(  # say where a Dockerfile is kept, not what it makes
    "docker dockerfiles container containers deploy deployment deployments build images infra ops src prod production "
    "compose local".split()
)
_DOCKERFILE = re.compile(
    r"(?i)(?:(?:docker|container)file(?:[._-](?P<after>.+))?|(?P<before>.+)\.(?:docker|container)file)"
)


class Served(NamedTuple):
    """A server that an image starts by itself: its command, and the ports on which that listens."""

    command: Command
    ports: frozenset[int]


class Images:
    """The stages of all Dockerfiles, and the container services that certainly run one."""

    def __init__(self, readings: Readings, served: Callable[[Service], Iterable[Served]]) -> None:
        """`served` says what servers a stage starts by itself."""
        self._stages = [one for one in readings.services if one.kind is Kind.IMAGE]
        self._containers = [one for one in readings.services if one.kind is Kind.CONTAINER]
        self._projects = readings.projects
        self._served = {id(one): tuple(served(self.whole(one))) for one in self._stages if _counts(one)}
        self._by_container = {id(one): image for one in self._containers if (image := self._built(one)) is not None}
        self._link(self._named)
        self._link(self._by_role())
        self._link(self._left_over())

    def of(self, service: Service) -> Service | None:
        """The stage that a service runs, as it stands in its Dockerfile; an image is its own."""
        return service if service.kind is Kind.IMAGE else self._by_container.get(id(service))

    def whole(self, image: Service, depth: int = 0) -> Service:
        """A stage with what it takes over from the stage that it stands on."""
        base = image.image.text if image.image is not None else ""
        parent = next((one for one in self._stages if one.path == image.path and one.stage == base), None)
        if parent is None or depth > _DEEPEST or parent is image:
            return image
        parent = self.whole(parent, depth + 1)
        takes_command = image.command is None and image.entrypoint is None
        return image._replace(
            entrypoint=image.entrypoint or parent.entrypoint,
            command=image.command or (parent.command if takes_command or image.entrypoint is None else None),
            environment={**parent.environment, **image.environment},
            folder=image.folder or parent.folder,
            copies=(*parent.copies, *image.copies),
            written={**parent.written, **image.written},
        )

    def _link(self, find: Callable[[Service], Service | None]) -> None:
        """Give every container that is still open the image that is found for it."""
        found = [(one, find(one)) for one in self._open()]
        self._by_container.update((id(one), image) for one, image in found if image is not None)

    def _open(self) -> Iterator[Service]:
        """Containers that run an image of which nobody has said yet where it comes from."""
        for one in self._containers:
            if one.build is None and one.image is not None and id(one) not in self._by_container:
                yield one

    # --- what says so -------------------------------------------------------------------------------------------

    def _built(self, service: Service) -> Service | None:
        """The image is built where it is run."""
        build = service.build
        if build is None or build.image is not None:
            return build.image if build is not None else None
        stages = [one for one in self._stages if one.path == build.dockerfile]
        if build.target:
            return next((one for one in stages if one.stage == build.target), None)
        return next((one for one in stages if one.last_stage), None)

    def _named(self, service: Service) -> Service | None:
        """The image is called like one that another service builds, or like one Dockerfile and no other."""
        name = _name(service)
        if not name:
            return None
        for other in self._containers:
            if other.build is not None and name in (_name(other), _plain(other.title)):
                return self._built(other)
        candidates = [(image, set(self._names_of(image))) for image in self._stages if _counts(image)]
        for alike in (_same, _same_but_for_role, _ends_with):
            found = [image for image, names in candidates if any(alike(name, each) for each in names)]
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def _names_of(self, image: Service) -> Iterator[str]:
        """What a Dockerfile may call its image: by its own name, its folder, the project, or the package it serves."""
        yield from _own_names(image.path)
        if _suffix(image.path):
            return
        folder = posixpath.dirname(image.path)
        project = self._projects.get(folder, self._projects.get("", "") if not _folder(image.path) else "")
        if project:
            yield _plain(project)
        for served in self._served[id(image)]:
            package, dot, _ = str(served.command.app).partition(":")[0].partition(".")
            if dot and package.isidentifier() and package not in _FOLDERS:
                yield _plain(package)

    def _by_role(self) -> Callable[[Service], Service | None]:
        """`web:1` or `acme/api:2` where a project has one Dockerfile that serves: the surest of such words is it."""
        image = self._only_served()
        names = {_name(one) for one in self._open()}
        role = next((word for word in _ROLES if word in names), "")
        if image is None or not role or any(name not in _ROLES for name in _own_names(image.path)):
            return lambda _: None
        return lambda service: image if _name(service) == role else None

    def _left_over(self) -> Callable[[Service], Service | None]:
        """The one workload that is left for the one image that is left, if they agree on the port."""
        image = self._only_served()
        if image is None or any(image.where == each.where for each in self._by_container.values()):
            return lambda _: None
        listens = {*image.ports, *(port for served in self._served[id(image)] for port in served.ports)}
        left = [one for one in self._open() if one.alone and _may_be_own(one) and self._agrees(one, listens)]
        alike = {one.image.text for one in left if one.image is not None}
        return lambda service: image if service in left and len(alike) == 1 else None

    def _agrees(self, service: Service, listens: set[int]) -> bool:
        """Whether a container declares a port of the image; one whose image is filled in later need only not differ."""
        if not service.ports:
            return not _name(service)
        return not listens.isdisjoint(service.ports)

    def _only_served(self) -> Service | None:
        """The one image of the project that starts a server."""
        serving = [one for one in self._stages if _counts(one) and self._served[id(one)]]
        return serving[0] if len(serving) == 1 else None


def _counts(image: Service) -> bool:
    """Whether a stage is what its Dockerfile makes, and not for developers."""
    return image.last_stage and not image.development


def _name(service: Service) -> str:
    """The last part of the name of an image, without registry, tag and digest; "" where it is filled in later."""
    text = service.image.text if service.image is not None else ""
    name = posixpath.basename(text.partition("@")[0]).partition(":")[0]
    return "" if HOLE in name else _plain(name)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _may_be_own(service: Service) -> bool:
    """Whether an image is kept under somebody's name: `postgres` is everybody's, `qdrant/qdrant` that of qdrant."""
    text = service.image.text if service.image is not None else ""
    above, _, last = text.partition("@")[0].rpartition("/")
    name = last.partition(":")[0]
    return HOLE in last or (bool(above) and above.rpartition("/")[2] not in (name, "library"))


def _own_names(path: str) -> tuple[str, ...]:
    """`orders.Dockerfile`, `Dockerfile.orders` and `orders/docker/Dockerfile` are of `orders`."""
    return tuple(name for name in (_suffix(path), _folder(path)) if name)


def _suffix(path: str) -> str:
    match = _DOCKERFILE.fullmatch(posixpath.basename(path))
    name = _plain((match["after"] or match["before"] or "") if match is not None else "")
    return "" if name in _FOLDERS else name


def _folder(path: str) -> str:
    folders = [_plain(part) for part in posixpath.dirname(path).split("/") if part]
    return next((part for part in reversed(folders) if part not in _FOLDERS), "")


def _same(name: str, other: str) -> bool:
    return name == other


def _same_but_for_role(name: str, other: str) -> bool:
    bare = _without_role(name)
    return bool(bare) and bare == _without_role(other)


def _ends_with(name: str, other: str) -> bool:
    """`acme-orders` where `orders` is built; a mere role tells nothing."""
    return bool(_without_role(other)) and name.endswith(f"-{other}")


def _without_role(name: str) -> tuple[str, ...]:
    return tuple(part for part in name.split("-") if part not in _TAILS)
