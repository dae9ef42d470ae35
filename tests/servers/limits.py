"""The limits of the web's front door, off: hundreds of viewers of the tests and benchmarks are one
user at one address.
"""

from __future__ import annotations

NO_LIMITS = {
    "CONNECTIONS_PER_ADDRESS": "0",
    "STREAMS_PER_USER": "10000",
    "SOCKETS_PER_USER": "10000",
}
