"""Who is at which piece of shared work: claims in a folder that several processes and hosts share.

    FOLDER/alive/TOKEN        a process: host, pid, start and expiry; its time of change is its heartbeat
    FOLDER/ID.G               claim number G = 0, 1, ... on the piece ID: a hard link to its owner's file
    FOLDER/ID.G.done          the owner has done the piece: a hard link too

A link is made whole or not at all, and only one process can make it; one heartbeat renews all claims of
its process. A claim whose owner has been silent for its expiry is overtaken by claim G + 1, which again one
process alone can make: nothing is removed or renamed, so there is nothing to race for. Ages are differences
between times that the file server set: clocks of hosts have no say. A process of this very machine that is
seen to have ended is not waited for.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import ResourceError
from ..files import make_folder

_BEATS = 5
"""Heartbeats within an expiry."""


class Owner(NamedTuple):
    """A process with claims.

    kernel: which boot of which machine, and which of its spaces of process numbers. started: when it began,
    ns of the file server's clock. expiry: seconds of silence that free its claims.
    """

    host: str
    pid: int
    kernel: str
    token: str
    started: int
    expiry: float


class _Claim(NamedTuple):
    number: int
    done: bool


class LostError(Exception):
    """The folder has lost this process: it was silent for too long, and others have cleared up."""


class Claims:
    """The claims of this process, and a view of those of others. Use as a context manager.

    Raises ResourceError where the folder cannot hold claims, LostError where it has been removed.
    """

    def __init__(self, folder: Path, expiry: float) -> None:
        self.folder = folder
        make_folder(folder / "alive")
        token = uuid.uuid4().hex
        self._own = folder / "alive" / token
        try:
            self._own.write_bytes(b"")
            self._clock = folder / "clock"
            self.me = Owner(
                socket.gethostname(), os.getpid(), _kernel(), token, self._own.stat().st_mtime_ns, expiry
            )
            self._own.write_text(json.dumps(self.me))
        except OSError as error:
            raise ResourceError(
                f"{folder}: cannot be written: {error.strerror}; choose another --out"
            ) from None
        self._owners: dict[str, Owner] = {f"alive/{token}": self.me}
        self._mates = {owner.token for owner in self.alive()}
        self._numbers: dict[str, int] = {}
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._heart.join()
        with contextlib.suppress(OSError):
            os.utime(self._own, ns=(0, 0))  # frees all claims at once

    def take(self, piece: str, *, again: bool = False) -> bool:
        """Claim a piece. False where it is done, another process is at it, or got it first.

        Pieces that processes did that had ended before this one began are free; `again` frees those done too.
        """
        claim = self._scan().get(piece)
        return self._take(piece, claim, again)

    def take_any(self, pieces: list[str]) -> Iterator[str]:
        """Pieces of the list as they can be claimed, until none is left that can."""
        while True:
            seen, got = self._scan(), False
            for piece in pieces:
                if self._take(piece, seen.get(piece), False):
                    got = True
                    yield piece
            if not got:
                return

    def done(self, piece: str) -> None:
        """Say that a piece that is claimed is done."""
        self._link(f"{piece}.{self._numbers[piece]}.done")

    def holds(self, piece: str) -> bool:
        """Whether a claim of this process still stands: nobody has overtaken it."""
        return not os.path.lexists(self.folder / f"{piece}.{self._numbers[piece] + 1}")

    def left(self, pieces: list[str], *, trust: bool = False) -> list[str]:
        """The pieces that are not done. `trust`: what processes did that have long ended counts."""
        seen = self._scan()
        return [
            piece
            for piece in pieces
            if not ((claim := seen.get(piece)) and claim.done and (trust or self._with_me(piece, claim)))
        ]

    def holders(self, pieces: list[str]) -> list[Owner]:
        """The living owners of pieces that are not done."""
        seen = self._scan()
        owners = {self._owner(f"{p}.{seen[p].number}") for p in pieces if p in seen and not seen[p].done}
        return sorted(owner for owner in owners if owner is not None and self._lives(owner))

    def alive(self) -> list[Owner]:
        """All processes with a heartbeat, this one too."""
        try:
            tokens = os.listdir(self.folder / "alive")  # noqa: PTH208
        except FileNotFoundError:
            raise LostError from None
        owners = [self._owner(f"alive/{token}") for token in tokens]
        return [owner for owner in owners if owner is not None and self._lives(owner)]

    def knows(self, token: str, started: int) -> bool:
        """Whether the process of this token ran beside this one, or began after it."""
        return token in self._mates or started >= self.me.started

    def clear(self) -> None:
        """Remove the folder where no other process lives in it."""
        with contextlib.suppress(LostError):
            if any(owner.token != self.me.token for owner in self.alive()):
                return
        shutil.rmtree(self.folder, ignore_errors=True)

    def _take(self, piece: str, claim: _Claim | None, again: bool) -> bool:
        if claim is not None:
            free = again or not self._with_me(piece, claim) if claim.done else not self._held(piece, claim)
            if not free:
                return False
        number = 0 if claim is None else claim.number + 1
        if not self._link(f"{piece}.{number}"):
            return False
        self._numbers[piece] = number
        return True

    def _link(self, name: str) -> bool:
        place = self.folder / name
        try:
            os.link(self._own, place)
            return True
        except FileExistsError:
            # Over a network an answer may get lost, and the request be sent again.
            return self._own.samefile(place)
        except FileNotFoundError:
            raise LostError from None
        except OSError as error:
            raise ResourceError(
                f"{place}: cannot be made: {error.strerror}; --out must lie where files can have hard links"
            ) from None

    def _scan(self) -> dict[str, _Claim]:
        """The last claim on every piece that has one."""
        found: dict[str, _Claim] = {}
        try:
            names = os.listdir(self.folder)  # noqa: PTH208
        except FileNotFoundError:
            raise LostError from None
        for name in names:
            match name.split("."):
                case [piece, digits]:
                    claim = _Claim(int(digits), False)
                case [piece, digits, "done"]:
                    claim = _Claim(int(digits), True)
                case _:
                    continue
            found[piece] = max(claim, found.get(piece, claim))
        return found

    def _held(self, piece: str, claim: _Claim) -> bool:
        owner = self._owner(f"{piece}.{claim.number}")
        return owner is not None and self._lives(owner)

    def _with_me(self, piece: str, claim: _Claim) -> bool:
        owner = self._owner(f"{piece}.{claim.number}")
        return owner is not None and self.knows(owner.token, owner.started)

    def _owner(self, name: str) -> Owner | None:
        if name in self._owners:
            return self._owners[name]
        try:
            owner = Owner(*json.loads((self.folder / name).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        self._owners[name] = owner
        return owner

    def _lives(self, owner: Owner) -> bool:
        if owner.kernel == self.me.kernel and _has_ended(owner.pid):
            return False
        try:
            # Opened, not only looked at: a network file system then asks the server.
            with (self.folder / "alive" / owner.token).open("rb") as file:
                beat = os.fstat(file.fileno()).st_mtime_ns
        except OSError:
            return False
        return self._now() - beat <= owner.expiry * 1e9

    def _now(self) -> int:
        """The file server's clock, ns."""
        try:
            # Not the own file, whose time says that this process lives.
            self._clock.touch()
            return self._clock.stat().st_mtime_ns
        except FileNotFoundError:
            raise LostError from None

    def _beat(self) -> None:
        while not self._ended.wait(self.me.expiry / _BEATS):
            with contextlib.suppress(OSError):  # a claim that is lost so is found by `holds`
                os.utime(self._own)


def _kernel() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return uuid.uuid4().hex


def _has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def describe(owners: list[Owner]) -> str:
    """Owners for a line: `host (process 7), ...`."""
    return ", ".join(f"{owner.host} (process {owner.pid})" for owner in owners)
