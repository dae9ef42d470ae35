"""The manifests leave as much room as the front door lets in."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from django.conf import settings

K8S = Path(__file__).parents[3] / "k8s"


def test_the_ingress_lets_the_largest_upload_through() -> None:
    text = (K8S / "components/ingress/ingress.yaml").read_text()
    assert re.findall(r"proxy-body-size: (\d+)m", text) == [str(settings.UPLOAD_MIB)]


def test_the_web_s_temporary_folder_holds_the_largest_upload_twice() -> None:
    text = (K8S / "base/web.yaml").read_text()
    folder = re.search(r"name: tmp\n\s+emptyDir: {sizeLimit: (\d+)Mi}", text)
    limit = re.search(r"limits: {.*ephemeral-storage: (\d+)Mi}", text)
    assert folder is not None
    assert limit is not None
    assert int(limit[1]) > int(folder[1]) >= 2 * settings.UPLOAD_MIB


def test_compose_keeps_uploads_out_of_memory() -> None:
    compose = yaml.safe_load((K8S.parent / "compose.yaml").read_text())
    web = compose["services"]["web"]
    in_memory = {entry.partition(":")[0] for entry in web["tmpfs"]}
    on_disk = {entry.split(":")[1] for entry in web["volumes"]}
    assert web["environment"]["TMPDIR"] in on_disk - in_memory
