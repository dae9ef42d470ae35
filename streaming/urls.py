"""The pages and streams."""

from __future__ import annotations

from django.urls import path

from streaming import health, mjpeg, views

urlpatterns = [
    path("", views.wall, name="wall"),
    path("cameras/<slug:slug>/", views.camera, name="camera"),
    path("cameras/<slug:slug>/stream.mjpg", mjpeg.stream, name="camera-stream"),
    path("cameras/<slug:slug>/snapshot.jpg", mjpeg.snapshot, name="camera-snapshot"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
