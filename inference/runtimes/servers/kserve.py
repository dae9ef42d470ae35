"""What the two forms of the Open Inference Protocol v2 have in common."""

from __future__ import annotations

from inference.runtimes.options import words
from inference.runtimes.servers.remote import OUTPUTS_HELP, RemoteOptions


class KServeOptions(RemoteOptions):
    """Where the model is, and which of its outputs are wanted."""

    outputs: tuple[str, ...] = words(OUTPUTS_HELP)
