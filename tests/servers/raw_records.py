"""Records that no ordinary Python client can send: headers whose names are any bytes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import confluent_kafka

PRODUCER = 0
# rd_kafka_vtype_t of rdkafka.h
END, TOPIC, VALUE, HEADERS = 0, 1, 4, 10
FLUSH_MS = 10_000


def send_raw(
    bootstrap: str, topic: str, value: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    """Produce one record by librdkafka's C interface and wait until the broker has it."""
    library = _library()
    error = ctypes.create_string_buffer(512)
    configuration = ctypes.c_void_p(library.rd_kafka_conf_new())
    library.rd_kafka_conf_set(
        configuration, b"bootstrap.servers", bootstrap.encode(), error, len(error)
    )
    producer = ctypes.c_void_p(library.rd_kafka_new(PRODUCER, configuration, error, len(error)))
    assert producer, error.value
    try:
        added = ctypes.c_void_p(library.rd_kafka_headers_new(len(headers)))
        for name, content in headers:
            library.rd_kafka_header_add(added, name, len(name), content, len(content))
        failed = library.rd_kafka_producev(
            producer,
            *(TOPIC, topic.encode()),
            *(VALUE, value, ctypes.c_size_t(len(value))),
            *(HEADERS, added),
            END,
        )
        assert failed == 0, failed
        assert library.rd_kafka_flush(producer, FLUSH_MS) == 0
        assert library.rd_kafka_outq_len(producer) == 0
    finally:
        library.rd_kafka_destroy(producer)


def _library() -> ctypes.CDLL:
    """The librdkafka of the confluent_kafka wheel."""
    folder = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(folder.glob("librdkafka*.so*"))))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_header_add.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_ssize_t,
        ctypes.c_char_p,
        ctypes.c_ssize_t,
    ]
    return library
