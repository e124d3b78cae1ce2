"""Public data sets by name: where they lie and on what terms. Nothing is fetched here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class PublicSet:
    """A data set that lies elsewhere.

    Attributes:
        name: what it is called here, and the folder it goes to.
        description, licence, home: what it is, what one may do with it, where it is described.
        url: of the archive; https, or http on this machine.
        size: most bytes that the archive may have.
        checksum: `sha256:` or `md5:` and the hex digest that its makers, or others, have published; None
            where none is known.
        keep: patterns of the files to unpack, behind the first `strip` folders.
        recipe: shipped recipe to begin with.
        root: data.root of that recipe, below the folder.
    """

    name: str
    description: str
    licence: str
    home: str
    url: str
    size: int
    checksum: str | None
    keep: tuple[str, ...]
    strip: int
    recipe: str
    root: str = "."


CATALOG: Mapping[str, PublicSet] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            PublicSet(
                name="fsdd",
                description="Free Spoken Digit Dataset 1.0.9: 2,500 digits spoken by 5 people, 8 kHz, 12 MB",
                licence="CC BY-SA 4.0",
                home="https://github.com/Jakobovski/free-spoken-digit-dataset",
                url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v1.0.9.tar.gz",
                size=11_975_353,
                checksum="sha256:8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0",
                keep=("recordings/*.wav", "README.md"),
                strip=1,
                recipe="audio/fsdd",
                root="recordings",
            ),
            PublicSet(
                name="machine-pump",
                description="Pumps of MIMII, as in the development set of DCASE 2020 task 2: 16 kHz, 1.0 GB",
                licence="CC BY-NC-SA 4.0",
                home="https://zenodo.org/records/3678171",
                url="https://zenodo.org/records/3678171/files/dev_data_pump.zip?download=1",
                size=1_031_279_015,
                checksum="md5:90e7091ef722b7238a7f1009365779cd",
                keep=("**/*.wav",),
                strip=0,
                recipe="audio/machine",
            ),
            PublicSet(
                name="nab",
                description="Numenta Anomaly Benchmark 1.1: 58 series of servers, sensors and traffic",
                licence="AGPL-3.0",
                home="https://github.com/numenta/NAB",
                url="https://github.com/numenta/NAB/archive/refs/tags/v1.1.tar.gz",
                size=1 << 30,
                checksum=None,
                keep=("data/**/*.csv", "labels/*.json", "LICENSE*"),
                strip=1,
                recipe="sensor/nab",
                root="data",
            ),
        )
    }
)
"""The sets by name. Addresses and checksums are those that others have published; none is made up."""
