"""A user name and a password, as a server wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Login:
    """`scheme` is how the cameras ask for it; Kafka's SASL knows PLAIN only and pays it no heed."""

    username: str
    password: str
    scheme: Literal["basic", "digest"] = "digest"
