"""Credentials in text are masked."""

from __future__ import annotations

import pytest

from sightline.base.redaction import redact_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://cam/live", "rtsp://cam/live"),
        ("rtsp://op:secret@cam:554/live", "rtsp://***@cam:554/live"),
        ("rtsp://op:se@cr/et@cam/live", "rtsp://***@cam/live"),
        ("failed: rtsp://op:secret@cam/ (401)", "failed: rtsp://***@cam/ (401)"),
        ("http://cam/v?user=op&pwd=secret&res=hd", "http://cam/v?user=***&pwd=***&res=hd"),
    ],
)
def test_credentials_in_urls_are_masked(url: str, shown: str) -> None:
    assert redact_url(url) == shown
