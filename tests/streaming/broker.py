"""The embedded broker as a process of its own, for tests that also kill it: ``python -m
tests.streaming.broker PORT``.
"""

from __future__ import annotations

import asyncio
import sys

from sightline.kafka.broker import serve

if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
