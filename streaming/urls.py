"""The pages and streams."""

from __future__ import annotations

from django.urls import path

from streaming import frames, health, history_views, layoutviews, link_views, mjpeg, modelpage, views
from streaming.system import views as system

urlpatterns = [
    path("", views.wall, name="wall"),
    path("layouts/", layoutviews.collection, name="layouts"),
    path("layouts/everyday/", layoutviews.everyday, name="layout-everyday"),
    path("layouts/<int:pk>/", layoutviews.item, name="layout"),
    path("cameras/<slug:slug>/", views.camera, name="camera"),
    path("cameras/<slug:slug>/stream.mjpg", mjpeg.stream, name="camera-stream"),
    path("cameras/<slug:slug>/snapshot.jpg", mjpeg.snapshot, name="camera-snapshot"),
    path("cameras/<slug:slug>/links/", link_views.make_link, name="camera-links"),
    path("cameras/<slug:slug>/frames/<int:offset>.jpg", frames.frame, name="camera-frame"),
    path("cameras/<slug:slug>/history.json", history_views.camera_history, name="camera-history"),
    path("models/", modelpage.models, name="models"),
    path("models/state.json", modelpage.models_state, name="models-state"),
    path("models/<slug:slug>/", modelpage.model, name="model"),
    path("models/<slug:slug>/state.json", modelpage.model_state, name="model-state"),
    path("models/<slug:slug>/records.json", modelpage.model_records, name="model-records"),
    path("models/<slug:slug>/deadletters.json", modelpage.model_letters, name="model-deadletters"),
    path("models/<slug:slug>/history.json", history_views.model_history, name="model-history"),
    path("system/", system.system, name="system"),
    path("system/state.json", system.system_state, name="system-state"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
