"""Why a request gets no score: a status, a code for programs and a line for people."""

from __future__ import annotations

import json

from ..errors import one_line


class Refusal(Exception):  # noqa: N818
    """A request is refused.

    `retry`: seconds after which it may be tried again; `close`: the connection is of no use any more.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, retry: int | None = None, close: bool = False
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status, self.code, self.detail = status, code, one_line(detail)
        self.retry, self.close = retry, close

    @property
    def body(self) -> bytes:
        """`{"code": ..., "detail": ...}` as JSON."""
        return json.dumps({"code": self.code, "detail": self.detail}).encode()

    @property
    def headers(self) -> dict[str, str]:
        """Headers beside those of any answer."""
        found = {"content-type": "application/json"}
        if self.retry is not None:
            found["retry-after"] = str(self.retry)
        if self.close:
            found["connection"] = "close"
        if self.status == 401:
            found["www-authenticate"] = "Bearer"
        return found


def busy(detail: str) -> Refusal:
    """All places are taken."""
    return Refusal(503, "busy", detail, retry=1)
