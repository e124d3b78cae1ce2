"""The detectors that `seqflow benchmark tsb-ad` runs, by name."""

from __future__ import annotations

from ..detector import Detect
from ..errors import UsageError

DEFAULT = "shapes"


def find_detector(name: str) -> Detect:
    """The detector of a name. Raises UsageError for a name that there is not."""
    if name == "shapes":
        from ..shapes import ShapeDetector

        return ShapeDetector()
    if name == "flow":
        from ..shape_flow import FlowDetector

        return FlowDetector(compare=True)
    raise UsageError(f"benchmark tsb-ad: {name:.40}: there is no such detector; there are shapes and flow")
