"""The admin's pages about dead letters: what could not be processed, why, and retrying it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from inference.deadletters.content import SHOWN_CHARACTERS, content_of, editable, picture_type
from inference.deadletters.forms import CorrectForm, RetryForm, TargetForm
from inference.deadletters.letters import Letter, Offset, errors_topic, grouped
from inference.deadletters.listing import cursor_of, sections_of, without_hidden
from inference.deadletters.reader import WINDOW, letter_at, newest
from inference.deadletters.retry_requests import Notice, queue_group, queue_selected, retry_now
from inference.models import Model, ModelVersion, retried_letters
from sightline.kafka import KafkaUnavailable

SHOWN_OF_A_GROUP: Final = 12

P = ParamSpec("P")
LetterView = Callable[Concatenate["DeadLetterViews", HttpRequest, P], HttpResponse]


def while_kafka_answers(view: LetterView[P]) -> LetterView[P]:
    """Show an error page while Kafka does not answer."""

    @wraps(view)
    def guarded(
        self: DeadLetterViews, request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponse:
        try:
            return view(self, request, *args, **kwargs)
        except KafkaUnavailable as err:
            context = {
                **self.admin.admin_site.each_context(request),
                "opts": self.admin.opts,
                "title": "Dead letters",
                "detail": str(err),
            }
            return TemplateResponse(
                request, "admin/inference/deadletters/away.html", context, status=503
            ).render()

    return guarded


class DeadLetterViews:
    """The views, for the admin of models: its permissions are theirs."""

    def __init__(self, model_admin: admin.ModelAdmin[Model]) -> None:
        self.admin = model_admin

    def index(self, request: HttpRequest, model_pk: int) -> HttpResponse:
        """To the letters of the model's newest version."""
        model = self._model(request, model_pk)
        version = model.versions.order_by("created_at", "pk").last()
        if version is None:
            self.admin.message_user(
                request,
                "This model has no version yet, so there are no dead letters.",
                messages.INFO,
            )
            return redirect("admin:inference_model_change", model.pk)
        return redirect("admin:inference_model_deadletters", model.pk, version.version)

    @while_kafka_answers
    def listing(self, request: HttpRequest, model_pk: int, version: str) -> HttpResponse:
        """The newest letters of a version by kind of error; ``?before=`` continues with older
        ones, ``?group=`` shows all of one kind.
        """
        found = self._version(request, model_pk, version)
        chosen = request.GET.get("group", "")
        page = newest(errors_topic(found), cursor_of(request.GET.get("before", "")))
        letters = without_hidden(request, page.letters)
        groups = [group for group in grouped(letters) if chosen in ("", group.key)]
        context = {
            "title": f"Dead letters of {found.model}",
            "versions": found.model.versions.all(),
            "sections": sections_of(found, groups, SHOWN_OF_A_GROUP if not chosen else WINDOW),
            "total": sum(group.count for group in groups),
            "chosen": chosen,
            "paged": "before" in request.GET,
            "older": ",".join(
                f"{partition}:{offset}" for partition, offset in (page.before or {}).items()
            ),
            "form": TargetForm(found),
        }
        return self._page(request, "list", found, context)

    @while_kafka_answers
    def letter(
        self, request: HttpRequest, model_pk: int, version: str, partition: int, offset: int
    ) -> HttpResponse:
        """One letter with all that is known of it. A POST retries it, with a corrected value if
        there is one.
        """
        found = self._version(request, model_pk, version, change=request.method == "POST")
        letter = self._letter(request, found, Offset(partition, offset))
        retrying, correcting = _forms(request, found, letter)
        if request.method == "POST":
            sent = correcting if "record" in request.POST else retrying
            if sent is None:
                raise Http404("This dead letter cannot be corrected here.")
            if sent.is_valid():
                corrected = sent.cleaned_data.get("record")
                retried = letter if corrected is None else letter.with_value(corrected)
                notice = retry_now(found, sent.cleaned_data["target"], retried, request.user.pk)
                self._tell(request, notice)
                return HttpResponseRedirect(request.path)
        retries = retried_letters(found.pk, errors_topic(found).name, [offset])
        context = {
            "title": f"Dead letter {letter.offset} of {found.model} {found.version}",
            "letter": letter.summary,
            "content": content_of(letter.record.value, SHOWN_CHARACTERS),
            "headers": [
                (name, (value or b"").decode(errors="replace"))
                for name, value in letter.own_headers
            ],
            "retried": retries.get(letter.id),
            "form": retrying,
            "correct_form": correcting,
        }
        return self._page(request, "letter", found, context)

    @while_kafka_answers
    def picture(
        self, request: HttpRequest, model_pk: int, version: str, partition: int, offset: int
    ) -> HttpResponse:
        """The value of a letter if it is a picture, and nothing else."""
        found = self._version(request, model_pk, version)
        letter = self._letter(request, found, Offset(partition, offset))
        kind = picture_type(letter.record.value)
        if not kind:
            raise Http404("This dead letter is not a picture.")
        # The address has the letter's timestamp, so that a browser never shows one letter's picture
        # for another's.
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=3600"}
        return HttpResponse(letter.record.value, content_type=kind, headers=headers)

    @while_kafka_answers
    def retry(self, request: HttpRequest, model_pk: int, version: str) -> HttpResponse:
        """Retry the selected letters, or all of one kind: one at once, several by a job."""
        found = self._version(request, model_pk, version, change=True)
        if request.method == "POST":
            form = RetryForm(found, request.POST)
            if form.is_valid():
                self._tell(request, self._retry(request, found, form.cleaned_data))
            for error in (error for errors in form.errors.values() for error in errors):
                self._tell(request, (messages.ERROR, str(error)))
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        return HttpResponseRedirect(
            reverse("admin:inference_model_deadletters", args=[found.model.pk, found.version])
            + query
        )

    def _retry(self, request: HttpRequest, source: ModelVersion, chosen: dict[str, Any]) -> Notice:
        target, offsets, by = chosen["target"], chosen["letters"], request.user.pk
        if chosen["action"] == "group":
            return queue_group(source, target, chosen["group"], by)
        if len(offsets) > 1:
            return queue_selected(source, target, offsets, by)
        return retry_now(source, target, self._letter(request, source, offsets[0]), by)

    def _tell(self, request: HttpRequest, notice: Notice) -> None:
        level, text = notice
        self.admin.message_user(request, text, level)

    # The requested object, if the user may see it

    def _model(self, request: HttpRequest, pk: int, *, change: bool = False) -> Model:
        model = get_object_or_404(Model, pk=pk)
        allowed = self.admin.has_change_permission if change else self.admin.has_view_permission
        if not allowed(request, model):
            raise PermissionDenied
        return model

    def _version(
        self, request: HttpRequest, model_pk: int, version: str, *, change: bool = False
    ) -> ModelVersion:
        model = self._model(request, model_pk, change=change)
        return get_object_or_404(
            ModelVersion.objects.select_related("model"), model=model, version=version
        )

    def _letter(self, request: HttpRequest, version: ModelVersion, offset: Offset) -> Letter:
        letter = letter_at(errors_topic(version), offset)
        if letter is None or not without_hidden(request, [letter.summary]):
            raise Http404("There is no such dead letter (any more).")
        return letter

    def _page(
        self, request: HttpRequest, name: str, version: ModelVersion, context: dict[str, Any]
    ) -> HttpResponse:
        model = version.model
        common = {
            **self.admin.admin_site.each_context(request),
            "opts": self.admin.opts,
            "model": model,
            "version": version,
            "may_retry": self.admin.has_change_permission(request, model),
        }
        return TemplateResponse(
            request, f"admin/inference/deadletters/{name}.html", {**common, **context}
        ).render()


def _forms(
    request: HttpRequest, version: ModelVersion, letter: Letter
) -> tuple[TargetForm, CorrectForm | None]:
    """The form that retries a letter as it is, and the one that corrects it first, where that is
    possible here. The posted one is filled in.
    """
    posted = request.POST if request.method == "POST" else None
    corrected = posted is not None and "record" in posted
    text = None if letter.camera else editable(letter.record.value)
    retrying = TargetForm(version, None if corrected else posted)
    correcting = None if text is None else CorrectForm(version, posted if corrected else None)
    if correcting is not None:
        correcting.fields["record"].initial = text
    return retrying, correcting
