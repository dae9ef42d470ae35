"""NVIDIA's Triton Inference Server: the Open Inference Protocol by REST with binary tensors, and by
gRPC.

The program is the one in the nvidia-pytriton wheel. It has only the Python backend, whose stub
is linked to the shared libpython3.x: that is Debian's, so Debian's Python makes the environment.
With another Python's library beside it, the stub's interpreter and its standard library would
not fit together ('_thread.RLock' has no attribute '_recursion_count').
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..ports import LOOPBACK
from .server import ModelServer
from .venvs import DEBIAN_PYTHON, python_of

PROGRAM = Path(__file__).with_name("programs") / "triton_digits.py"
SHARED_MEMORY = Path("/dev/shm")

DIGITS = """\
backend: "python"
max_batch_size: 64
input [{ name: "pixels" data_type: TYPE_FP32 dims: [64] }]
output [{ name: "label" data_type: TYPE_INT64 dims: [1] },
        { name: "probabilities" data_type: TYPE_FP32 dims: [10] }]
dynamic_batching { max_queue_delay_microseconds: 1000 }
"""
SINGLE = """\
backend: "python"
max_batch_size: 0
input [{ name: "picture" data_type: TYPE_FP32 dims: [1, 8, 8, 1] }]
output [{ name: "label" data_type: TYPE_INT64 dims: [1] },
        { name: "probabilities" data_type: TYPE_FP32 dims: [1, 10] }]
"""
PICTURES = """\
backend: "python"
max_batch_size: 0
input [{ name: "image_bytes" data_type: TYPE_STRING dims: [-1] }]
output [{ name: "classes" data_type: TYPE_INT64 dims: [-1] },
        { name: "probabilities" data_type: TYPE_FP32 dims: [-1, 11] }]
"""
MODELS = {"digits": DIGITS, "single": SINGLE, "pictures": PICTURES}


class Triton(ModelServer):
    """Models `digits` (batches to 64, which Triton itself joins), `single` (one at a time) and
    `pictures`, version 1.

    `digits`: `pixels` FP32 (N, 64) gives `label` INT64 (N, 1) and `probabilities` FP32 (N, 10).
    `single`: `picture` FP32 (1, 8, 8, 1), grey in 0..1, gives `label` INT64 (1,) and
    `probabilities` FP32 (1, 10). `pictures`: `image_bytes` BYTES (N,), JPEG, gives `classes`
    INT64 (N,) and `probabilities` FP32 (N, 11), the background first: digit = class - 1.
    """

    ready_paths = ("/v2/health/ready", *(f"/v2/models/{model}/ready" for model in MODELS))

    def stop(self) -> None:
        """An orderly end, 2 s at most when clients stay connected; only the server is told,
        which then ends its stubs.
        """
        self._child.send_signal(signal.SIGTERM)
        self._child.resume()
        with contextlib.suppress(TimeoutError):
            self._child.wait(timeout=10)
        self.kill()

    def _command(self) -> list[str | Path]:
        package = self._package()
        backends = self._write_backends(package / "tritonserver")
        models = self.folder / "models"
        for name, config in MODELS.items():
            self._write_model(models / name, config)
        return [
            package / "tritonserver" / "bin" / "tritonserver",
            f"--model-repository={models}",
            f"--backend-directory={backends}",
            f"--backend-config=python,shm-region-prefix-name={self._shared_memory}",
            "--backend-config=python,shm-default-byte-size=1048576",
            f"--http-address={LOOPBACK}",
            f"--http-port={self.rest_port}",
            f"--grpc-address={LOOPBACK}",
            f"--grpc-port={self.grpc_port}",
            "--allow-metrics=false",
            "--exit-timeout-secs=2",
        ]

    def _environment(self) -> Mapping[str, str]:
        # The stub takes its packages and its standard library from the first python3 on the path,
        # and heeds no PYTHONPATH.
        python = python_of("triton")
        libraries = self._package().with_name("nvidia_pytriton.libs")
        return {"PATH": f"{python.parent}:{os.environ['PATH']}", "LD_LIBRARY_PATH": str(libraries)}

    def _clean(self) -> None:
        for region in self._left_behind():
            region.unlink(missing_ok=True)

    @property
    def _shared_memory(self) -> str:
        return f"sightline_tests_{self.grpc_port}"

    def _left_behind(self) -> Iterator[Path]:
        return SHARED_MEMORY.glob(f"{self._shared_memory}*")

    @staticmethod
    def _package() -> Path:
        environment = python_of("triton").parent.parent
        return next(environment.glob("lib/python3.*/site-packages/pytriton"))

    def _write_backends(self, server: Path) -> Path:
        folder = self.folder / "backends" / "python"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        stub = (
            server
            / "python_backend_stubs"
            / _version_of(DEBIAN_PYTHON)
            / "triton_python_backend_stub"
        )
        for part in [*(server / "backends" / "python").iterdir(), stub]:
            (folder / part.name).symlink_to(part)
        return folder.parent

    def _write_model(self, folder: Path, config: str) -> None:
        (folder / "1").mkdir(parents=True, exist_ok=True)
        (folder / "config.pbtxt").write_text(config)
        shutil.copy(PROGRAM, folder / "1" / "model.py")
        shutil.copy(self.data.weights, folder / "1" / "weights.npz")


def _version_of(python: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run(
        [python, "-I", "-c", code], check=True, capture_output=True, text=True, timeout=30
    ).stdout.strip()
