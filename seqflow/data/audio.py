"""Sound and vibration recordings from audio files, at the rate and with the channels asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import InputError
from ..recipe.data import Channels
from .audio_file import AudioFile, Samples
from .audio_step import code_step
from .container import Look, look
from .mixing import Mixing
from .recording import Block, Mask, Recording, Values
from .regular import regular_file
from .resample import MOST, Resampler

AUDIO_SUFFIXES = frozenset(
    f".{name}"
    for name in "wav wave bwf rf64 w64 flac ogg oga opus mp3 aif aiff aifc caf au snd".split()  # noqa: SIM905
)
"""Suffixes of audio files, lower case."""

# Decoded at a time, samples of all channels.
_CHUNK = 1 << 18


def open_audio(
    path: str | Path,
    *,
    name: str,
    rate: float | None,
    channels: Channels,
    step: Literal["auto"] | float,
    resample: Literal["soxr", "refuse"],
    strict: bool = False,
) -> Recording:
    """An audio file as a recording; what libsndfile decodes: WAV, FLAC, Ogg, MP3, AIFF, W64, RF64 and more.

    Values are float32 with full scale 1.0, and float64 where the file holds 32-bit integers or 64-bit floats.
    Float files are not scaled; NaN and infinite samples are invalid.

    rate: Hz to hand out; null: that of the file. channels: all, first, mono (the mean of all) or numbers from
    0. step: auto finds it (none after resampling or mixing, nor in lossy formats); 0: none.

    A file that ends before its header says so has the status `truncated`, and its length is what is there.
    Damage that only decoding finds makes the status `corrupt` from then on: damaged parts of FLAC files are
    invalid samples, other formats end there. With `strict` both are refused. Where channels are mixed, and
    one of them holds one value throughout, the status is `dead_channel` from the end of `blocks` on.

    Raises InputError: `unreadable`, `not_a_file`, `empty`, `not_audio`, `unsupported`, `corrupt`,
    `truncated`, `wrong_channels`, `wrong_rate`, `too_short`.
    """
    path = Path(path)
    size = regular_file(path).st_size
    seen = look(path, size)
    if seen.fault and not seen.sized:
        raise InputError(path, "unsupported", f"is {seen.fault}; convert it to FLAC or WAV")
    try:
        file = AudioFile.of(path, seen.last_page)
    except InputError as error:
        if seen.fault and error.code == "corrupt":
            raise InputError(path, "truncated", f"{seen.fault}: nothing can be read") from None
        raise
    if seen.fault:
        file = file.cut()
    fault = _fault(file, seen)
    if fault and (strict or not file.frames):
        raise InputError(path, "truncated", f"{fault}; replace it")
    if not file.frames:
        raise InputError(path, "empty", "holds no samples; leave it out")
    recording = AudioRecording(
        file,
        name=name,
        picked=_picked(file, channels),
        mono=channels == "mono" and file.channels > 1,
        resampler=_resampler(file, rate, resample),
        rate=rate or float(file.rate),
        strict=strict,
    )
    if fault:
        recording.status, recording.detail = "truncated", fault
    recording.step = recording.find_step() if step == "auto" else step or None
    return recording


class AudioRecording(Recording):
    """An audio file; made by `open_audio`. Holds no open file, so it can be sent to other processes."""

    def __init__(
        self,
        file: AudioFile,
        *,
        name: str,
        picked: Sequence[int],
        mono: bool,
        resampler: Resampler | None,
        rate: float,
        strict: bool,
    ) -> None:
        self.name, self.path, self.kind = name, file.path, "audio"
        self.channels, self.channel_names = 1 if mono else len(picked), ()
        self.rate, self.step = rate, None
        self.length = file.frames if resampler is None else resampler.length(file.frames)
        self.start, self.status, self.detail = 0, "ok", ""
        self._file, self._picked = file, list(picked)
        self._mixing = Mixing(file.channels) if mono else None
        self._resampler, self._strict = resampler, strict
        if not self.length:
            raise InputError(file.path, "too_short", f"holds no whole sample at {rate:g} Hz; leave it out")

    def read(self, start: int, frames: int) -> Block:
        """Samples start .. start + frames - 1 (C, n); equal to those of `blocks`, to 1e-6 where resampled.

        A file with damage inside is the exception: positions behind it are not sure in lossy formats.
        """
        stop = min(start + frames, self.length)
        if stop <= start:
            empty = np.zeros((self.channels, 0), self._file.sample_type)
            return Block(empty, np.ones(empty.shape, np.bool_))
        if self._resampler is None:
            return _block(*self._chosen(self._file.read(start, stop - start), start))
        return self._resampled(self._resampler, start, stop)

    def blocks(self, frames: int) -> Iterator[Block]:
        """All samples in order, in blocks of `frames`, the last of them shorter.

        Memory: one block, and 2^18 samples.
        """
        done = 0
        for block in _regrouped(self._decodable(), frames):
            done += block.values.shape[1]
            yield block
        if done < self.length:
            self._damaged(f"decoding ends after {done} of {self.length} samples")
        dead = "" if self._mixing is None else self._mixing.dead()
        if dead and dead not in self.detail:
            self.status = "dead_channel" if self.status == "ok" else self.status
            self.detail = "; ".join(filter(None, (self.detail, dead)))

    def find_step(self) -> float | None:
        """The quantisation step of the file in the channels handed out; None where it has none."""
        if self._resampler is not None or self._mixing is not None:
            return None
        return code_step(self._file, self._picked)

    def _decodable(self) -> Iterator[Block]:
        """What comes before damage that decoding cannot pass."""
        some = False
        try:
            for block in self._chunks():
                some = True
                yield block
        except InputError as error:
            if error.code != "corrupt" or self._strict or not some:
                raise

    def _chunks(self) -> Iterator[Block]:
        frames = max(1, _CHUNK // self._file.channels)
        if self._resampler is None:
            start = 0
            for samples in self._file.chunks(frames):
                yield _block(*self._chosen(samples, start))
                start += len(samples)
            return
        span = self._resampler.span(frames)
        for start in range(0, self.length, span):
            yield self._resampled(self._resampler, start, min(start + span, self.length))

    def _resampled(self, resampler: Resampler, start: int, stop: int) -> Block:
        begin, end = resampler.source(start, stop)
        end = min(end, self._file.frames)
        values, mask = self._chosen(self._file.read(begin, end - begin), begin)
        if len(values) < end - begin:
            stop = min(stop, resampler.length(begin + len(values)))
        return _block(*resampler.apply(values, mask, start, max(start, stop)))

    def _chosen(self, samples: Samples, start: int) -> tuple[Values, Mask]:
        """The channels asked for and which of their samples are valid, (n, C) both; invalid ones are 0."""
        if self._mixing is not None:
            samples = self._mixing.mean(samples)
        elif self._picked != list(range(self._file.channels)):
            samples = samples[:, self._picked]
        mask = np.isfinite(samples)
        if mask.all():
            return samples, mask
        if self._file.whole_numbers:
            first = start + int(np.argmin(mask.all(axis=1)))
            self._damaged(f"sample {first} of the file, and maybe more, cannot be decoded and is left out")
        return np.where(mask, samples, samples.dtype.type(0)), mask

    def _damaged(self, detail: str) -> None:
        if self._strict:
            raise InputError(self.path, "corrupt", f"{detail}; replace it")
        if self.status != "corrupt":
            self.status, self.detail = "corrupt", "; ".join(filter(None, (self.detail, detail)))


def _fault(file: AudioFile, seen: Look) -> str:
    """A line on what is missing of the file; "" for nothing."""
    if seen.fault:
        return f"{seen.fault}: {file.frames} samples can be read"
    if file.frames < file.stated < 1 << 62 and seen.sized:
        return f"the header declares {file.stated} samples: {file.frames} can be read"
    return ""


def _picked(file: AudioFile, channels: Channels) -> Sequence[int]:
    """Numbers of the channels asked for. Raises InputError `wrong_channels`."""
    if isinstance(channels, str):
        return range(1 if channels == "first" else file.channels)
    for channel in channels:
        if isinstance(channel, str):
            message = f"has no channel {channel!r}: audio has numbers, from 0; change data.channels"
            raise InputError(file.path, "wrong_channels", message)
        if channel >= file.channels:
            message = f"has no channel {channel}, only {file.channels} from 0 on; change data.channels"
            raise InputError(file.path, "wrong_channels", message)
    return [int(channel) for channel in channels]


def _resampler(file: AudioFile, rate: float | None, resample: str) -> Resampler | None:
    """None where the file has the rate. Raises InputError `wrong_rate`."""
    if rate is None or rate == file.rate:
        return None
    if resample == "refuse":
        message = f"is at {file.rate} Hz, not {rate:g} Hz; resample it, or set data.resample: soxr"
        raise InputError(file.path, "wrong_rate", message)
    if not 1 / MOST <= rate / file.rate <= MOST:
        message = f"is at {file.rate} Hz, more than a factor {MOST} from {rate:g} Hz; leave it out"
        raise InputError(file.path, "wrong_rate", message)
    return Resampler.between(file.rate, rate)


def _block(values: Values, mask: Mask) -> Block:
    """(n, C) to (C, n)."""
    return Block(np.ascontiguousarray(values.T), np.ascontiguousarray(mask.T))


def _regrouped(blocks: Iterable[Block], frames: int) -> Iterator[Block]:
    """The same samples in blocks of `frames`, the last of them shorter."""
    held: list[Block] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += block.values.shape[1]
        if count < frames:
            continue
        values, mask = _joined(held)
        whole = count - count % frames
        for start in range(0, whole, frames):
            yield Block(values[:, start : start + frames], mask[:, start : start + frames])
        held, count = [Block(values[:, whole:], mask[:, whole:])], count - whole
    if count:
        yield _joined(held)


def _joined(blocks: Sequence[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    return Block(np.concatenate([b.values for b in blocks], 1), np.concatenate([b.mask for b in blocks], 1))
