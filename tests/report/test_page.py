"""The page: everything in it, nothing from elsewhere, and text that stays text."""

from __future__ import annotations

import base64
import html.parser
import io
import re
from typing import Any

import numpy as np
import pytest
import scipy.io.wavfile

from seqflow.report.page import Excerpt, Page, render
from seqflow.report.pictures import bands_picture, loudness_picture
from seqflow.report.sound import matched, wav_uri

HOSTILE = (
    """<script>alert(1)</script>"'><img src=x onerror=alert(2)> {{ 7*7 }} $x_1$ https://example.org/a.js"""
)
PNG = b"\x89PNG\r\n\x1a\n"


class Reader(html.parser.HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(**changes: Any) -> Page:
    rng = np.random.default_rng(0)
    sequences = [Excerpt(0.1 * rng.standard_normal((1, 800)), f"{HOSTILE} {i}") for i in range(3)]
    keys: dict[str, Any] = {
        "title": HOSTILE,
        "facts": [(HOSTILE, HOSTILE)],
        "head": ["figure", HOSTILE],
        "rows": [[HOSTILE, "1"], ["b", "2"], ["c", "3"]],
        "rows_met": [True, False, None],
        "notes": [HOSTILE],
        "real": sequences[:1],
        "generated": sequences[1:],
        "rate": 8000.0,
        "sound": True,
        "pictures": [(HOSTILE, PNG)],
    }
    return Page(**{**keys, **changes})


@pytest.mark.parametrize("sound", [True, False])
def test_hostile_names_stay_text_and_nothing_is_fetched(sound: bool) -> None:
    found = Reader(render(page(sound=sound)))
    names = {tag for tag, _ in found.tags}
    assert not names & {"script", "link", "iframe", "object", "base", "form", "a"}
    for tag, attributes in found.tags:
        assert not [key for key in attributes if key.startswith("on")]
        for key in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attributes.get(key) or "data:").startswith("data:"), (tag, key)
    style = next(text for text in re.findall("<style>(.*?)</style>", render(page()), re.DOTALL))
    assert "url(" not in style and "@import" not in style
    policy = next(a["content"] for t, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'")
    assert found.text.count(HOSTILE) >= 6
    images = [attributes for tag, attributes in found.tags if tag == "img"]
    assert len(images) == 4 and all(HOSTILE in (image["alt"] or "") for image in images)
    for image in images:
        assert base64.b64decode((image["src"] or "").split(",")[1]).startswith(PNG)


def test_sounds_are_in_the_page_as_they_are_and_matched() -> None:
    shown = page()
    found = Reader(render(shown))
    sounds = [attributes["src"] or "" for tag, attributes in found.tags if tag == "audio"]
    assert len(sounds) == 6
    rate, raw = scipy.io.wavfile.read(io.BytesIO(base64.b64decode(sounds[0].split(",")[1])))
    assert (rate, raw.dtype) == (8000, np.int16)
    assert np.array_equal(raw, np.round(shown.real[0].values[0] * 32768).astype(np.int16))


@pytest.mark.parametrize("changes", [{"sound": False}, {"rate": 100.0}, {"rate": None}])
def test_what_cannot_be_heard_is_drawn(changes: dict[str, Any]) -> None:
    found = Reader(render(page(**changes)))
    assert "audio" not in {tag for tag, _ in found.tags}
    assert len([tag for tag, _ in found.tags if tag == "img"]) == 4
    assert "Side by side" in found.text


def test_a_page_of_the_same_has_the_same_bytes() -> None:
    assert render(page()) == render(page())


def test_levels_are_matched_as_far_as_peaks_allow() -> None:
    rng = np.random.default_rng(1)
    quiet, loud = 1e-3 * rng.standard_normal((1, 900)), rng.standard_normal((1, 900))
    for x in (quiet, loud):
        assert np.sqrt(np.square(matched(x)).mean()) == pytest.approx(0.1)
    click = np.zeros((1, 1000))
    click[0, 5] = -0.5
    assert np.abs(matched(click)).max() == pytest.approx(0.99)
    assert not matched(np.zeros((1, 4))).any()


def test_beyond_full_scale_is_cut_and_channels_are_kept() -> None:
    data = base64.b64decode(wav_uri(np.array([[2.0, 0.5], [-2.0, 0.0]]), 8000.0).split(",")[1])
    _, frames = scipy.io.wavfile.read(io.BytesIO(data))
    assert frames.tolist() == [[32767, -32768], [16384, 0]]


@pytest.mark.parametrize("floor", [None, np.array([-30.0, -20.0])])
def test_figures_are_pictures_with_and_without_other_real_data(floor: np.ndarray | None) -> None:
    edges = np.array([[0.0, 1000.0], [1000.0, 2000.0]])
    data = bands_picture(edges, np.array([-31.0, -21.0]), np.array([-35.0, -18.0]), floor, 1.5)
    assert data.startswith(PNG)
    levels = None if floor is None else np.array([0.1, 0.2])
    for real in (np.array([0.1, 0.3]), np.zeros(2)):
        assert loudness_picture(real, np.zeros(2), levels, sound=True).startswith(PNG)
