"""Cameras, model files, and forms as people fill them in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from cameras.models import Camera
from inference.models import Model, ModelVersion
from tests.inference.runtimes.onnx import models

RED, BLUE = (0, 0, 255), (255, 0, 0)


@pytest.fixture(autouse=True)
def quick(settings: Settings, tmp_path: Path) -> None:
    """Passwords that cost nothing, uploads in a folder of the test, and a class that may be
    chosen.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.PYTHON_MODELS = (
        "tests.models_for_tests.IrisModel",
        "tests.models_for_tests.PictureModel",
    )


@pytest.fixture
def dock(db: None) -> Camera:
    return Camera.objects.create(slug="dock", name="Dock", kind="demo", url="demo:conveyor")


@pytest.fixture
def qr(db: None) -> ModelVersion:
    return ModelVersion.objects.create(
        model=Model.objects.create(slug="qr", name="QR codes"), version="1", runtime="builtin-qr"
    )


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """A detector of red, green and blue squares, as a file."""
    return models.yolo(tmp_path / "squares.onnx")


def picture() -> bytes:
    """128 x 128, with a red square in the detector's cell (2, 1) and a blue one in (6, 5), as a
    PNG.
    """
    image = np.full((128, 128, 3), 60, np.uint8)
    image[16:32, 32:48] = RED
    image[80:96, 96:112] = BLUE
    return bytes(cv2.imencode(".png", image)[1])


def upload(path: Path) -> SimpleUploadedFile:
    """A file as a browser sends it."""
    return SimpleUploadedFile(path.name, path.read_bytes())


def new_model(**version: Any) -> dict[str, Any]:
    """The fields of the page for a new model, in fields, not deployed; those of its version as
    keywords: ``__`` is a hyphen.
    """
    form = {
        "name": "Squares",
        "slug": "squares",
        "description": "",
        "versions-TOTAL_FORMS": "1",
        "versions-INITIAL_FORMS": "0",
    }
    given = {
        "version": "1",
        "runtime": "onnx",
        "sees": "pictures",
        "options_as": "fields",
        **version,
    }
    return {
        **form,
        **{f"versions-0-{name.replace('__', '-')}": value for name, value in given.items()},
    }
