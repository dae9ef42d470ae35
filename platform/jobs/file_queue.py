"""Celery's queue in files, where a task becomes visible only when it is complete.

Kombu writes a task straight into the file that readers look for, so a fast reader finds half of it
and ends.
"""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import filesystem


class WholeFileChannel(filesystem.Channel):
    """Kombu's channel, whose files appear under their names only when they are complete."""

    # its two bases name it differently
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        name = f"{time.time_ns()}_{uuid.uuid4()}.{queue}.msg"
        folder = Path(self.data_folder_out)
        part = folder / f"{name}.part"
        part.write_text(json.dumps(payload), encoding="utf-8")
        part.replace(folder / name)


class Transport(filesystem.Transport):
    """For the setting ``CELERY_BROKER_TRANSPORT``."""

    Channel = WholeFileChannel
