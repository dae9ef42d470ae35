"""The import name of the folder ``platform/``.

The ground of the project lives in ``platform/``, but a package of that name would shadow the
standard library's module ``platform``. So the folder has no ``__init__.py`` and is imported
under this name: ``sightline.kafka.topics`` is ``platform/kafka/topics.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery import Celery

__version__ = "0.1.0"
__path__ = [str(Path(__file__).with_name("platform"))]
if __spec__ is not None:
    __spec__.submodule_search_locations = __path__

app: Celery


def __getattr__(name: str) -> Any:
    """Bind the Celery application (``celery -A sightline``) on first use: most processes never
    need Celery.
    """
    if name == "app":
        from sightline.jobs.app import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
