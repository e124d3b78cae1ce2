"""Samples of an audio file by position, decoded by libsndfile through few open files.

Shapes: samples (n, C) in the order of the file, as libsndfile hands them out. Full scale is 1.0; float files
are as they are, beyond ±1 too.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from ..errors import InputError
from .quiet import quiet
from .regular import regular_file, unreadable

Samples = NDArray[Any]
SampleType = Literal["float32", "float64", "int32"]

# float32 holds the codes of 24 bits and fewer exactly.
_WIDE = {"PCM_32", "DOUBLE", "ALAC_32"}
# Decoders that find their state only after a while, and how many frames that can take: half of the longest
# block of Vorbis; of MP3, the bit reservoir of the lowest rates (errors reach 8192 frames, as measured); of
# Opus, its predictor of speech (errors of 1e-3 reach 20,000 frames).
_LEAD = {
    "VORBIS": 4096,
    "OPUS": 65536,
    "MPEG_LAYER_I": 16384,
    "MPEG_LAYER_II": 16384,
    "MPEG_LAYER_III": 16384,
}
# A damaged frame of FLAC is refused, and what follows it decodes: the hole is found to this many frames.
_GRAIN = 512
# Where decoding in order fails, what was decoded by the same call is lost: frames in a call.
_PIECE = 1 << 14
# Decoders of blocks make something up for what is missing of the last block; frames that it can have.
_BLOCK = 4096
_CODES = {1: "not_audio", 7: "not_audio", 4: "unsupported", 18: "unsupported"}
_MOST_OPEN = 8

_open: OrderedDict[tuple[str, int, int], _Handle] = OrderedDict()
if hasattr(os, "register_at_fork"):
    # A child shares the position in the file with its parent.
    os.register_at_fork(after_in_child=_open.clear)


class _Handle(sf.SoundFile):  # type: ignore[misc]
    """An open file that goes on from where it is.

    soundfile seeks after every read, to the place where the decoder stands anyway: MP3 and Ogg decoders are
    thrown back by that, and it fails before damage that nobody asked to read.
    """

    def seekable(self) -> bool:
        """No, as far as soundfile knows."""
        return False

    def can_seek(self) -> bool:
        """Whether decoding can start anywhere."""
        return bool(super().seekable())


@dataclass(frozen=True)
class AudioFile:
    """An audio file and what its header says. Holds no open file, so it can be sent to other processes.

    Attributes:
        path: where it is.
        stated: frames by its header.
        frames: frames that can be read.
        channels: C.
        rate: Hz.
        container, subtype: as libsndfile names them, `WAV` and `PCM_16`.
        seekable: whether decoding can start anywhere.
        last_page: first frame of the last page of an Ogg stream; `stated` for other files.
        size, modified: bytes, and nanoseconds: to know the file again.
    """

    path: str
    stated: int
    frames: int
    channels: int
    rate: int
    container: str
    subtype: str
    seekable: bool
    last_page: int
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path, last_page: int | None) -> AudioFile:
        """Read the header, and look for the last frame where the header alone vouches for it.

        last_page: frames in the last page of an Ogg stream, 0 for other files; None where that is not known.
        Raises InputError: `not_audio`, `unsupported`, `corrupt`, `unreadable`.
        """
        status = regular_file(path)
        handle = _handle(str(path))
        stated = handle.frames
        file = cls(
            str(path),
            stated,
            stated,
            handle.channels,
            handle.samplerate,
            handle.format,
            handle.subtype,
            handle.can_seek(),
            0 if last_page is None else max(0, stated - last_page),
            status.st_size,
            status.st_mtime_ns,
        )
        handle.close()
        if (file.container == "FLAC" or file._mpeg) and stated and not file._has(stated - 1):
            return replace(file, frames=file._end())
        return file

    @property
    def sample_type(self) -> Literal["float32", "float64"]:
        """The float type that holds the samples exactly."""
        return "float64" if self.subtype in _WIDE else "float32"

    @property
    def lossless(self) -> bool:
        """Whether the samples are the codes or numbers in the file, and not those of a lossy decoder."""
        return self.subtype not in _LEAD

    @property
    def _mpeg(self) -> bool:
        return self.subtype.startswith("MPEG")

    @property
    def whole_numbers(self) -> bool:
        """Whether the samples are integer codes, so that none can be NaN."""
        return self.lossless and self.subtype not in ("FLOAT", "DOUBLE")

    def cut(self) -> AudioFile:
        """This file, which ends early, without a last block of which a part only may be there."""
        if "ADPCM" in self.subtype or self.subtype.startswith(("GSM", "G72")):
            return replace(self, frames=max(0, self.frames - _BLOCK))
        return self

    def read(self, start: int, frames: int, sample_type: SampleType | None = None) -> Samples:
        """Frames start .. start + frames - 1 (n, C), fewer at the end of the file, or where damage ends it.

        Floats where damaged frames of FLAC cannot be decoded are NaN. Raises InputError: `corrupt` where none
        can be had; `changed` where the file is not the one that was opened; `unreadable` where it is gone.
        """
        frames = max(0, min(frames, self.frames - start))
        sample_type = sample_type or self.sample_type
        try:
            return self._decode(start, frames, sample_type)
        except sf.LibsndfileError as error:
            passable = self.container == "FLAC" and sample_type != "int32"
            if frames <= _GRAIN and not passable:
                raise self._corrupt(start, error) from None
        if frames <= _GRAIN:
            return np.full((frames, self.channels), np.nan, sample_type)
        half = frames // 2
        before = self.read(start, half, sample_type)
        if len(before) < half:
            return before
        try:
            after = self.read(start + half, frames - half, sample_type)
        except InputError as error:
            if error.code != "corrupt":
                raise
            return before
        return np.concatenate((before, after))

    def chunks(self, frames: int) -> Iterator[Samples]:
        """All frames in order, up to `frames` of them (n, C) each. Stops or raises where `read` does."""
        if self.seekable and self.subtype not in _LEAD:
            for start in range(0, self.frames, frames):
                yield self.read(start, frames)
            return
        with self._checked() as handle:
            piece = min(frames, _PIECE)
            for start in range(0, self.frames, piece):
                count = min(piece, self.frames - start)
                try:
                    with quiet(self._mpeg):
                        chunk = handle.read(count, self.sample_type, always_2d=True)
                except sf.LibsndfileError as error:
                    raise self._corrupt(start, error) from None
                yield chunk
                if len(chunk) < count:
                    return

    def _decode(self, start: int, frames: int, sample_type: SampleType) -> Samples:
        # Inside the last page of an Ogg stream libsndfile counts wrongly.
        begin = max(0, min(start, self.last_page) - _LEAD.get(self.subtype, 0))
        with self._borrowed() as handle, quiet(self._mpeg):
            if self.seekable:
                handle.seek(begin)
            else:
                _skip(handle, begin)
            samples: Samples = handle.read(start - begin + frames, sample_type, always_2d=True)
        if len(samples) < start - begin + frames and regular_file(Path(self.path)).st_size < self.size:
            raise self._changed()  # cut while it was open
        return samples[start - begin :]

    @contextmanager
    def _borrowed(self) -> Iterator[_Handle]:
        """An open file, kept open afterwards for the next one who needs it. Taken out meanwhile: threads.

        Ogg files are opened anew: a second seek may end up a block beside its target.
        """
        key = (self.path, self.size, self.modified)
        keep = self.seekable and self.container != "OGG"
        handle = _open.pop(key, None) if keep else None
        handle = handle or self._checked()
        try:
            yield handle
        except BaseException:
            handle.close()
            raise
        if not keep:
            handle.close()
            return
        other, _open[key] = _open.pop(key, None), handle
        if other is not None:
            other.close()
        while len(_open) > _MOST_OPEN:
            _open.popitem(last=False)[1].close()

    def _checked(self) -> _Handle:
        """The file, opened; it may have grown, but is the same up to there by all that can be seen."""
        status = regular_file(Path(self.path))
        handle = _handle(self.path)
        same = status.st_size > self.size or (status.st_size, status.st_mtime_ns) == (
            self.size,
            self.modified,
        )
        form = (handle.channels, handle.samplerate, handle.subtype)
        if same and handle.frames >= self.frames and form == (self.channels, self.rate, self.subtype):
            return handle
        handle.close()
        raise self._changed()

    def _changed(self) -> InputError:
        return InputError(self.path, "changed", "is not the file that was opened before; start again")

    def _has(self, frame: int) -> bool:
        try:
            with self._borrowed() as handle, quiet(self._mpeg):
                handle.seek(frame)
                return len(handle.read(1, "float32", always_2d=True)) == 1
        except sf.LibsndfileError:
            return False

    def _end(self) -> int:
        """The number of frames up to the last that can be read, by halving."""
        low, high = 0, self.stated
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._has(middle) else (low, middle)
        return low

    def _corrupt(self, start: int, error: sf.LibsndfileError) -> InputError:
        reason = " ".join(error.error_string.split())
        return InputError(self.path, "corrupt", f"cannot be decoded at sample {start}: {reason}")


def _handle(path: str) -> _Handle:
    try:
        with quiet():
            return _Handle(os.fsencode(path))
    except sf.LibsndfileError as error:
        reason = " ".join(error.error_string.split())
        code = _CODES.get(error.code, "corrupt")
        if error.code == 2:
            raise unreadable(Path(path), OSError(reason)) from None
        if code == "not_audio":
            raise InputError(path, code, "its content is not that of an audio file; leave it out") from None
        raise InputError(path, code, f"cannot be decoded: {reason}") from None


def _skip(handle: _Handle, frames: int) -> None:
    while frames > 0:
        done = len(handle.read(min(frames, 1 << 16), "float32", always_2d=True))
        if not done:
            return
        frames -= done
