"""A real Kubernetes of one node: its own programs, Debian's containerd, a network of its own. For
root.

Everybody who can reach the node's address is its administrator: it exists for a test, on a wire
that leads to this machine only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.cluster.binaries import CACHE, binaries
from tests.cluster.network import NODE, PODS, SERVICES, Network
from tests.containers.engine import Engine
from tests.servers.process import Child

NAME = "node"
TOKEN = "administrator"
SERVER = f"https://{NODE}:6443"
PAUSE = "sightline-pause:1"
# kubelet sets these for the whole machine.
KERNEL = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
ACCESS = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "test", "cluster": {"server": SERVER, "insecure-skip-tls-verify": True}}],
    "users": [{"name": "test", "user": {"token": TOKEN}}],
    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    "current-context": "test",
}
# What runs into trouble on a small disk is not asked about here, and images are never thrown away.
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "cgroupDriver": "cgroupfs",
    "clusterDNS": [NODE],
    "clusterDomain": "cluster.local",
    "evictionHard": {"memory.available": "1%", "nodefs.available": "1%", "imagefs.available": "1%"},
    "failCgroupV1": False,
    "failSwapOn": False,
    "imageGCHighThresholdPercent": 100,
}
DNS = """\
.:53 {{
    errors
    kubernetes cluster.local {{
        kubeconfig {access} test
    }}
}}
"""
# Where this machine's root may not lower the score by which Linux chooses whom to end when memory
# is short, the pods keep its own.
CONTAINERD = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/library/{pause}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{binaries}"
conf_dir = "{settings}"
"""


def pods_network(addresses: Path) -> dict[str, object]:
    """Each pod has a wire to the node: on a bridge, answers would go past the node, which must
    translate their addresses back.
    """
    ipam = {
        "type": "host-local",
        "subnet": PODS,
        "dataDir": str(addresses),
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{"type": "ptp", "ipMasq": False, "ipam": ipam}],
    }


class Node:
    """The cluster. As a context manager it starts it, waits until the node is ready, and leaves
    nothing behind but images.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.network = Network()
        self.binaries = binaries()
        self._running = ExitStack()
        self._folder: Path
        self._disk: Path

    @property
    def environment(self) -> dict[str, str]:
        """In which ``kubectl`` finds the cluster."""
        return {
            **os.environ,
            "KUBECONFIG": str(self._folder / "access"),
            "PATH": f"{self.binaries}:{os.environ['PATH']}",
        }

    def shell(self, script: str, cwd: Path | None = None) -> str:
        """What a script prints that uses ``kubectl``; AssertionError with all that it said when
        a command of it fails.
        """
        done = subprocess.run(
            ["sh", "-euc", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            cwd=cwd,
            env=self.environment,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout

    def kubectl(self, *arguments: str, documents: Iterable[object] = ()) -> str:
        """What ``kubectl`` prints, with ``documents`` on its standard input; AssertionError with
        what it complains about.
        """
        command = ["kubectl", "--warnings-as-errors", *arguments]
        done = subprocess.run(
            command,
            input=yaml.safe_dump_all(documents),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env=self.environment,
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def get(self, *arguments: str) -> Any:
        """What ``kubectl get`` finds."""
        return json.loads(self.kubectl("get", *arguments, "--output", "json"))

    @contextmanager
    def forwarding(self, *arguments: str) -> Iterator[None]:
        """``kubectl port-forward`` for the length of the block."""
        log = self.logs / "port-forward.log"
        child = Child(
            [self.binaries / "kubectl", "port-forward", *arguments], log, env=self.environment
        ).start()
        try:
            child.wait_until(
                lambda: "Forwarding from" in child.tail(), 30, "the port to be forwarded"
            )
            yield
        finally:
            child.stop()

    def load(self, engine: Engine, images: Sequence[str]) -> None:
        """Bring images from a Docker engine, as ``kind load`` does."""
        with tempfile.NamedTemporaryFile(dir=CACHE, suffix=".tar") as archive:
            engine.docker("save", "--output", archive.name, *images)
            self._ctr("images", "import", archive.name)

    def __enter__(self) -> Self:
        with self._running:
            # Sockets have short names, so not in a folder of the tests.
            self._folder = Path(tempfile.mkdtemp(prefix="sightline-node-", dir="/run"))
            self._disk = Path(tempfile.mkdtemp(prefix="node-", dir=CACHE))
            for folder in (self._folder, self._disk):
                self._running.callback(shutil.rmtree, folder, ignore_errors=True)
            self._running.callback(self._unmount)
            self._keep_kernel()
            self._running.enter_context(self.network)
            self._write()
            self._start_containerd()
            self._start_control()
            self._start_node()
            self._running = self._running.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._running.close()

    def _keep_kernel(self) -> None:
        for name in KERNEL:
            file = Path("/proc/sys") / name
            self._running.callback(file.write_text, file.read_text())

    def _write(self) -> None:
        folder = self._folder
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        folder.joinpath("key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )
        folder.joinpath("tokens").write_text(f'{TOKEN},administrator,0,"system:masters"\n')
        folder.joinpath("access").write_text(json.dumps(ACCESS))
        places = {
            "containerRuntimeEndpoint": f"unix://{folder / 'containerd.sock'}",
            "podLogsDir": str(self._disk / "logs"),
            "resolvConf": str(folder / "resolv.conf"),
            "volumePluginDir": str(self._disk / "plugins"),
        }
        folder.joinpath("kubelet").write_text(json.dumps({**KUBELET, **places}))
        folder.joinpath("resolv.conf").write_text("")
        folder.joinpath("dns").write_text(DNS.format(access=folder / "access"))
        folder.joinpath("cni").mkdir()
        folder.joinpath("cni", "pods.conflist").write_text(
            json.dumps(pods_network(folder / "addresses"))
        )
        folder.joinpath("containerd").write_text(
            CONTAINERD.format(pause=PAUSE, binaries=self.binaries, settings=folder / "cni")
        )

    def _start(self, program: str, *options: str) -> Child:
        path = self.binaries / program
        child = Child(
            self.network.inside([path if path.exists() else program, *options]),
            self.logs / f"{program}.log",
        ).start()
        self._running.callback(child.stop, grace=20)
        return child

    def _start_containerd(self) -> None:
        socket, folder = self._folder / "containerd.sock", self._folder
        places = (
            f"--root={CACHE / 'containerd'}",
            f"--state={folder / 'state'}",
            f"--config={folder / 'containerd'}",
        )
        child = self._start("containerd", f"--address={socket}", *places)
        child.wait_until(socket.exists, 30, "containerd's socket")
        self._running.callback(self._end_containers)

    def _start_control(self) -> None:
        """The parts that know what should be."""
        folder = self._folder
        access, key = folder / "access", folder / "key"
        self._start("server", f"--data-dir={folder / 'etcd'}", "--log-level=warn")
        api = self._start(
            "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            f"--advertise-address={NODE}",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={folder / 'certificates'}",
            f"--service-cluster-ip-range={SERVICES}",
            "--service-account-issuer=https://kubernetes.default",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--token-auth-file={folder / 'tokens'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--authorization-mode=Node,RBAC",
        )
        api.wait_until(lambda: self._answers("--raw=/readyz"), 120, "the API server to be ready")
        self._start(
            "kube-controller-manager",
            f"--kubeconfig={access}",
            f"--service-account-private-key-file={key}",
            f"--cert-dir={folder / 'certificates'}",
            "--leader-elect=false",
        )
        self._start("kube-scheduler", f"--kubeconfig={access}", "--leader-elect=false")

    def _start_node(self) -> None:
        """The parts that make it so."""
        folder = self._folder
        access = folder / "access"
        self._start("dns", f"-conf={folder / 'dns'}")
        kubelet = self._start(
            "kubelet",
            f"--config={folder / 'kubelet'}",
            f"--kubeconfig={access}",
            f"--hostname-override={NAME}",
            f"--node-ip={NODE}",
            f"--root-dir={self._disk / 'kubelet'}",
            f"--cert-dir={folder / 'certificates'}",
        )
        kubelet.wait_until(
            lambda: self._answers(f"node/{NAME}") and self._is_ready(), 120, "the node to be ready"
        )
        # It asks for the node that it is on.
        self._start(
            "kube-proxy",
            f"--kubeconfig={access}",
            f"--hostname-override={NAME}",
            f"--cluster-cidr={PODS}",
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        )

    def _answers(self, *arguments: str) -> bool:
        return (
            subprocess.run(
                ["kubectl", "get", *arguments],
                capture_output=True,
                timeout=30,
                env=self.environment,
                check=False,
            ).returncode
            == 0
        )

    def _is_ready(self) -> bool:
        conditions = self.get(f"node/{NAME}")["status"]["conditions"]
        return any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in conditions
        )

    def _ctr(self, *arguments: str) -> str:
        command = [
            "ctr",
            "--address",
            str(self._folder / "containerd.sock"),
            "--namespace",
            "k8s.io",
            *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _end_containers(self) -> None:
        """They outlive kubelet and containerd otherwise. kubelet has ended: nobody starts them
        again.
        """
        for number in self._ctr("tasks", "list", "--quiet").split():
            self._ctr("tasks", "delete", "--force", number)
        for number in self._ctr("containers", "list", "--quiet").split():
            self._ctr("containers", "delete", number)

    def _unmount(self) -> None:
        """What kubelet and containerd had mounted, the innermost first."""
        mounted = [
            line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
        ]
        ours = (f"{self._folder}/", f"{self._disk}/")
        for place in reversed([place for place in mounted if place.startswith(ours)]):
            subprocess.run(
                ["umount", "--lazy", place], capture_output=True, timeout=30, check=False
            )
