"""The kinds of models that Sightline can run: one name each, chosen by one field of a model
version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.utils.module_loading import import_string

from inference.runtimes.errors import InferenceError, ServerUnavailable

if TYPE_CHECKING:
    from inference.runtimes.base import Runtime
    from inference.runtimes.records import RecordRuntime
    from inference.runtimes.tensors import Backend

__all__ = [
    "PICTURES",
    "RECORDS",
    "RUNTIMES",
    "InferenceError",
    "RuntimeKind",
    "ServerUnavailable",
    "check",
    "create",
    "create_backend",
    "create_records",
]

Through = Callable[["Backend"], "Backend"]

PICTURES: Final = "pictures"
RECORDS: Final = "records"


@dataclass(frozen=True, slots=True)
class RuntimeKind:
    """A runtime by where it is found: imported when it is used, so that an absent library harms its
    own runtime only.

    The class at ``name`` takes an instance of its own ``Options`` dataclass; a ``tensors`` one
    is a ``Backend``, which pictures and records reach by way of
    ``inference.runtimes.pictures.model`` and ``.records``. ``takes`` says what it can be fed
    with. ``files``: it runs a file, given to it as the keyword ``file``. ``remote``: it asks a
    server.
    """

    title: str
    module: str
    name: str
    takes: frozenset[str] = frozenset({PICTURES})
    tensors: bool = False
    files: bool = False
    remote: bool = False

    def load(self) -> Any:
        """The class itself; a permanent InferenceError when a library that it needs is not
        installed.
        """
        try:
            return import_string(f"{self.module}.{self.name}")
        except ImportError as err:
            raise InferenceError(f"{self.title} cannot run here: {err}.", permanent=True) from err


_BOTH: Final = frozenset({PICTURES, RECORDS})


def _server(title: str, module: str, name: str) -> RuntimeKind:
    return RuntimeKind(
        title, f"inference.runtimes.servers.{module}", name, takes=_BOTH, tensors=True, remote=True
    )


RUNTIMES: Final[Mapping[str, RuntimeKind]] = {
    "builtin-motion": RuntimeKind(
        "Motion (built in)", "inference.runtimes.builtin.motion", "Motion"
    ),
    "builtin-people": RuntimeKind(
        "People (built in)", "inference.runtimes.builtin.people", "People"
    ),
    "builtin-faces": RuntimeKind("Faces (built in)", "inference.runtimes.builtin.faces", "Faces"),
    "builtin-qr": RuntimeKind("QR codes (built in)", "inference.runtimes.builtin.qr", "QrCodes"),
    "tfserving-rest": _server("TensorFlow Serving, REST", "tfserving_rest", "TfServingRest"),
    "tfserving-grpc": _server("TensorFlow Serving, gRPC", "tfserving_grpc", "TfServingGrpc"),
    "kserve-rest": _server(
        "KServe v2 (Triton, OpenVINO, MLServer), REST", "kserve_rest", "KServeRest"
    ),
    "kserve-grpc": _server(
        "KServe v2 (Triton, OpenVINO, MLServer), gRPC", "kserve_grpc", "KServeGrpc"
    ),
    "onnx": RuntimeKind(
        "ONNX file", "inference.runtimes.onnx.model", "Onnx", takes=_BOTH, tensors=True, files=True
    ),
    "python": RuntimeKind(
        "Python class", "inference.runtimes.python.model", "PythonModel", takes=_BOTH
    ),
}

# What stands between tensors and what a deployment feeds: each has ``Options`` and is made of a
# backend and an instance of them.
WRAPPERS: Final[Mapping[str, RuntimeKind]] = {
    PICTURES: RuntimeKind("Pictures", "inference.runtimes.pictures.model", "PictureModel"),
    RECORDS: RuntimeKind(
        "Records", "inference.runtimes.records", "RecordModel", takes=frozenset({RECORDS})
    ),
}


def create(
    runtime: str,
    options: Mapping[str, object],
    *,
    file: Path | None = None,
    through: Through | None = None,
) -> Runtime:
    """A runtime for pictures by its name, not yet loaded; a permanent InferenceError when the name
    or an option is wrong.

    ``file`` is the model itself where the runtime runs a file. ``through`` is given the backend
    of a runtime that has one, and returns what takes its place: one that watches it, for
    example.
    """
    made: Runtime = _create(PICTURES, runtime, options, file, through)
    return made


def create_records(
    runtime: str,
    options: Mapping[str, object],
    *,
    file: Path | None = None,
    through: Through | None = None,
) -> RecordRuntime:
    """As ``create``, for records."""
    made: RecordRuntime = _create(RECORDS, runtime, options, file, through)
    return made


def create_backend(
    runtime: str, options: Mapping[str, object], *, file: Path | None = None
) -> Backend:
    """The backend alone of a runtime that computes tensors, for asking its metadata; options of
    what is around it are left out.
    """
    kind = _kind(runtime)
    if not kind.tensors:
        raise InferenceError(f"The runtime {runtime!r} has no tensors to ask for.", permanent=True)
    own = _names(kind.load().Options)
    return _backend(kind, {name: value for name, value in options.items() if name in own}, file)


def check(runtime: str, options: Mapping[str, object]) -> None:
    """Raise a permanent InferenceError when both ``create`` and ``create_records`` would: for
    forms.
    """
    errors = []
    for fed_with in sorted(_kind(runtime).takes):
        try:
            _create(fed_with, runtime, options, None)
        except InferenceError as err:
            errors.append(err)
        else:
            return
    # The complaint about a value says more than the one that names what the other way of feeding
    # does not know.
    raise min(errors, key=lambda err: getattr(err, "unknown", False))


def _create(
    fed_with: str,
    runtime: str,
    options: Mapping[str, object],
    file: Path | None,
    through: Through | None = None,
) -> Any:
    from inference.runtimes.options import parse, refuse_unknown

    kind = _kind(runtime)
    if fed_with not in kind.takes:
        raise InferenceError(f"The runtime {runtime!r} takes no {fed_with}.", permanent=True)
    if not kind.tensors:
        found = kind.load()
        return found(parse(found.Options, options))
    wrapper = WRAPPERS[fed_with].load()
    around, own = _names(wrapper.Options), _names(kind.load().Options)
    refuse_unknown(options, [*own, *around])
    backend = _backend(kind, {name: value for name, value in options.items() if name in own}, file)
    backend = backend if through is None else through(backend)
    return wrapper(
        backend,
        parse(wrapper.Options, {name: value for name, value in options.items() if name in around}),
    )


def _backend(kind: RuntimeKind, options: Mapping[str, object], file: Path | None) -> Backend:
    from inference.runtimes.options import parse

    found = kind.load()
    parsed = parse(found.Options, options)
    backend: Backend = found(parsed, file=file) if kind.files else found(parsed)
    return backend


def _names(kind: Any) -> list[str]:
    # Imported here and above: pydantic costs a tenth of a second and 10 MiB, and most processes
    # only look up what runtimes there are.
    from inference.runtimes.options import options_of

    return [item.name for item in options_of(kind)]


def _kind(runtime: str) -> RuntimeKind:
    if runtime not in RUNTIMES:
        raise InferenceError(
            f"There is no runtime {runtime!r}. Known: {', '.join(RUNTIMES)}.", permanent=True
        )
    return RUNTIMES[runtime]
