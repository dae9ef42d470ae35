"""Every address of the site: pages, streams, JSON and sockets."""

from __future__ import annotations

from channels.security.websocket import WebsocketDenier
from django.contrib import admin
from django.contrib.auth.views import (
    LoginView,
    LogoutView,
    PasswordChangeDoneView,
    PasswordChangeView,
)
from django.urls import path, re_path, reverse_lazy

from sightline.site.logins import admin_login
from streaming.camera_page import views as camera_page
from streaming.camera_page.thumbnail import thumbnail
from streaming.history import views as history
from streaming.mjpeg import frames, link_views, stream
from streaming.models_page import views as models_page
from streaming.system import health
from streaming.system import views as system
from streaming.wall import layout_views
from streaming.wall import views as wall
from streaming.wall.socket import WallConsumer

CHANGE_OF_LOGIN = "registration/password.html"

urlpatterns = [
    path("", wall.wall, name="wall"),
    path("layouts/", layout_views.collection, name="layouts"),
    path("layouts/everyday/", layout_views.everyday, name="layout-everyday"),
    path("layouts/<int:pk>/", layout_views.item, name="layout"),
    path("cameras/<slug:slug>/", camera_page.camera, name="camera"),
    path("cameras/<slug:slug>/stream.mjpg", stream.stream, name="camera-stream"),
    path("cameras/<slug:slug>/snapshot.jpg", stream.snapshot, name="camera-snapshot"),
    path("cameras/<slug:slug>/thumbnail.jpg", thumbnail, name="camera-thumbnail"),
    path("cameras/<slug:slug>/links/", link_views.make_link, name="camera-links"),
    path("cameras/<slug:slug>/frames/<int:offset>.jpg", frames.frame, name="camera-frame"),
    path("cameras/<slug:slug>/history.json", history.camera_history, name="camera-history"),
    path("models/", models_page.models, name="models"),
    path("models/state.json", models_page.models_state, name="models-state"),
    path("models/<slug:slug>/", models_page.model, name="model"),
    path("models/<slug:slug>/state.json", models_page.model_state, name="model-state"),
    path("models/<slug:slug>/records.json", models_page.model_records, name="model-records"),
    path(
        "models/<slug:slug>/deadletters.json", models_page.model_letters, name="model-deadletters"
    ),
    path("models/<slug:slug>/history.json", history.model_history, name="model-history"),
    path("system/", system.system, name="system"),
    path("system/state.json", system.system_state, name="system-state"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("accounts/login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path(
        "accounts/password/",
        PasswordChangeView.as_view(
            template_name=CHANGE_OF_LOGIN, success_url=reverse_lazy("password-changed")
        ),
        name="password",
    ),
    path(
        "accounts/password/changed/",
        PasswordChangeDoneView.as_view(
            template_name=CHANGE_OF_LOGIN, extra_context={"changed": True}
        ),
        name="password-changed",
    ),
    path("admin/login/", admin_login),
    path("admin/", admin.site.urls),
]

websocket_urlpatterns = [
    path("ws/wall/", WallConsumer.as_asgi()),
    # Without it the router raises, and the log shows an error of ours.
    re_path("", WebsocketDenier.as_asgi()),
]
