"""Adds the pages about dead letters to the admin of models."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inference.deadletters.views import DeadLetterViews
from inference.models import Model

LETTER = "<int:model_pk>/deadletters/<str:version>/<int:partition>/<int:offset>/"


class DeadLettersMixin(admin.ModelAdmin[Model]):
    """For the ModelAdmin of Model: the pages below ``<pk>/deadletters/``, and ``dead_letters``, a
    link for lists and forms.
    """

    def get_urls(self) -> list[URLPattern]:
        views = DeadLetterViews(self)
        wrap = self.admin_site.admin_view
        own = [
            path(
                "<int:model_pk>/deadletters/",
                wrap(views.index),
                name="inference_model_all_deadletters",
            ),
            path(
                "<int:model_pk>/deadletters/<str:version>/",
                wrap(views.listing),
                name="inference_model_deadletters",
            ),
            path(
                "<int:model_pk>/deadletters/<str:version>/retry/",
                wrap(views.retry),
                name="inference_model_retry_deadletters",
            ),
            path(LETTER, wrap(views.letter), name="inference_model_deadletter"),
            path(
                f"{LETTER}picture",
                wrap(views.picture, cacheable=True),
                name="inference_model_deadletter_picture",
            ),
        ]
        return [*own, *super().get_urls()]

    @admin.display(description="dead letters")
    def dead_letters(self, model: Model) -> SafeString:
        return format_html(
            '<a href="{}">Dead letters</a>',
            reverse("admin:inference_model_all_deadletters", args=[model.pk]),
        )
