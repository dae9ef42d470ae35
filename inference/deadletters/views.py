"""The admin's pages about dead letters: what could not be processed, why, and giving it back to
a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Concatenate, Final, ParamSpec

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from kombu.exceptions import ChannelError, OperationalError

from cameras.access import visible_cameras
from cameras.models import Camera
from inference.deadletters.content import (
    SHOWN_CHARACTERS,
    content_of,
    editable,
    picture_type,
)
from inference.deadletters.forms import CorrectForm, RetryForm, TargetForm
from inference.deadletters.letters import (
    ErrorGroup,
    Letter,
    LetterSummary,
    Offset,
    grouped,
)
from inference.deadletters.reader import (
    WINDOW,
    Cursor,
    TopicReader,
    letter_at,
    newest,
)
from inference.deadletters.retry import RetryOutcome, retry_one
from inference.deadletters.tasks import retry_group, retry_places
from inference.models import Model, ModelVersion, RetriedLetter, retried_letters
from sightline.kafka import KafkaUnavailable, topics

SHOWN_OF_A_GROUP: Final = 12

P = ParamSpec("P")
View = Callable[Concatenate["DeadLetterViews", HttpRequest, P], HttpResponse]


@dataclass(frozen=True, slots=True)
class LetterRow:
    """A letter in a list, and what is known of its retry."""

    letter: LetterSummary
    mark: RetriedLetter | None


@dataclass(frozen=True, slots=True)
class GroupSection:
    """A group of letters in a list; of a large one the newest ``rows`` only."""

    group: ErrorGroup
    rows: tuple[LetterRow, ...]

    @property
    def hidden(self) -> int:
        """How many are not shown."""
        return self.group.count - len(self.rows)


def while_kafka_answers(view: View[P]) -> View[P]:
    """A page that says so when Kafka does not answer."""

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
        """The newest letters of a version by kind of error; ``?before=`` goes on with older
        ones, ``?group=`` shows all of one kind.
        """
        found = self._version(request, model_pk, version)
        chosen = request.GET.get("group", "")
        window = newest(
            topics.errors(found.model.slug, found.version), _cursor(request.GET.get("before", ""))
        )
        letters = _without_hidden(request, window.letters)
        groups = [group for group in grouped(letters) if chosen in ("", group.key)]
        context = {
            "title": f"Dead letters of {found.model}",
            "versions": found.model.versions.all(),
            "sections": _sections(found, groups, SHOWN_OF_A_GROUP if not chosen else WINDOW),
            "total": sum(group.count for group in groups),
            "chosen": chosen,
            "paged": "before" in request.GET,
            "older": ",".join(
                f"{partition}:{offset}" for partition, offset in (window.before or {}).items()
            ),
            "form": TargetForm(found),
        }
        return self._page(request, "list", found, context)

    @while_kafka_answers
    def letter(
        self, request: HttpRequest, model_pk: int, version: str, partition: int, offset: int
    ) -> HttpResponse:
        """One letter with all that is known of it; posted to, it is retried, with another value
        if one is given.
        """
        found = self._version(request, model_pk, version, change=request.method == "POST")
        letter = self._letter(request, found, partition, offset)
        retrying, correcting = _forms(request, found, letter)
        if request.method == "POST":
            sent = correcting if "record" in request.POST else retrying
            if sent is None:
                raise Http404("This dead letter cannot be corrected here.")
            if sent.is_valid():
                edited = sent.cleaned_data.get("record")
                self._tell(
                    request,
                    retry_one(
                        found,
                        sent.cleaned_data["target"],
                        letter,
                        by=request.user.pk,
                        edited=edited,
                    ),
                )
                return redirect(
                    "admin:inference_model_deadletter", model_pk, version, partition, offset
                )
        context = {
            "title": f"Dead letter {letter.offset} of {found.model} {found.version}",
            "letter": letter.summary,
            "content": content_of(letter.record.value, SHOWN_CHARACTERS),
            "headers": [
                (name, (value or b"").decode(errors="replace"))
                for name, value in letter.own_headers
            ],
            "mark": _mark(found, letter.summary),
            "form": retrying,
            "correct_form": correcting,
        }
        return self._page(request, "letter", found, context)

    @while_kafka_answers
    def picture(
        self, request: HttpRequest, model_pk: int, version: str, partition: int, offset: int
    ) -> HttpResponse:
        """The value of a letter if it is a picture, and nothing else."""
        letter = self._letter(request, self._version(request, model_pk, version), partition, offset)
        kind = picture_type(letter.record.value)
        if not kind:
            raise Http404("This dead letter is not a picture.")
        # The address holds the letter's time stamp, so that a browser never takes another letter's
        # picture for this one's.
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=3600"}
        return HttpResponse(letter.record.value, content_type=kind, headers=headers)

    @while_kafka_answers
    def retry(self, request: HttpRequest, model_pk: int, version: str) -> HttpResponse:
        """Retry the selected letters, or all of one kind: one at once, several by a job."""
        found = self._version(request, model_pk, version, change=True)
        if request.method == "POST":
            form = RetryForm(found, request.POST)
            if form.is_valid():
                self._retry(request, found, form.cleaned_data)
            else:
                for error in (error for errors in form.errors.values() for error in errors):
                    self.admin.message_user(request, str(error), messages.ERROR)
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        return HttpResponseRedirect(
            reverse("admin:inference_model_deadletters", args=[found.model.pk, found.version])
            + query
        )

    def _retry(self, request: HttpRequest, version: ModelVersion, chosen: dict[str, Any]) -> None:
        target, places = chosen["target"], chosen["letters"]
        if chosen["action"] == "group":
            with TopicReader(topics.errors(version.model.slug, version.version)) as reader:
                end = list(reader.end().items())
            job = partial(
                retry_group.delay, version.pk, target.pk, request.user.pk, chosen["group"], [], end
            )
            self._queue(
                request,
                "All inputs of this kind that were not yet retried with success, each by its newest"
                " attempt, are",
                job,
            )
        elif len(places) == 1:
            letter = self._letter(request, version, places[0].partition, places[0].offset)
            self._tell(request, retry_one(version, target, letter, by=request.user.pk))
        else:
            pairs = [(place.partition, place.offset) for place in places]
            job = partial(retry_places.delay, version.pk, target.pk, request.user.pk, pairs)
            self._queue(request, f"{len(pairs)} dead letters are", job)

    def _queue(self, request: HttpRequest, subject: str, queue: Callable[[], object]) -> None:
        try:
            queue()
        except (OperationalError, ChannelError, OSError):
            self.admin.message_user(
                request, "Nothing was retried: the task queue does not answer.", messages.ERROR
            )
        else:
            self.admin.message_user(
                request,
                f"{subject} being retried. Load this page again in a few seconds to see how that"
                " went.",
                messages.INFO,
            )

    def _tell(self, request: HttpRequest, outcome: RetryOutcome | None) -> None:
        if outcome is None:
            self.admin.message_user(
                request,
                "This dead letter is just being retried by somebody else.",
                messages.WARNING,
            )
        elif outcome.succeeded:
            self.admin.message_user(request, f"Retried. {outcome.detail}", messages.SUCCESS)
        else:
            self.admin.message_user(request, f"It failed again. {outcome.detail}", messages.ERROR)

    # What is asked for, if it may be seen

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

    def _letter(
        self, request: HttpRequest, version: ModelVersion, partition: int, offset: int
    ) -> Letter:
        letter = letter_at(
            topics.errors(version.model.slug, version.version), Offset(partition, offset)
        )
        if letter is None or not _without_hidden(request, [letter.summary]):
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


def _without_hidden(request: HttpRequest, letters: Iterable[LetterSummary]) -> list[LetterSummary]:
    """Without frames of cameras that the user may not see."""
    hidden = set(
        Camera.objects.exclude(pk__in=visible_cameras(request.user)).values_list("slug", flat=True)
    )
    return [letter for letter in letters if letter.camera not in hidden]


def _forms(
    request: HttpRequest, version: ModelVersion, letter: Letter
) -> tuple[TargetForm, CorrectForm | None]:
    """To retry a letter as it is, and to correct it first, if that can be done here; the one
    that was posted is filled in.
    """
    posted = request.POST if request.method == "POST" else None
    corrected = posted is not None and "record" in posted
    text = None if letter.summary.camera else editable(letter.record.value)
    retrying = TargetForm(version, None if corrected else posted)
    correcting = None if text is None else CorrectForm(version, posted if corrected else None)
    if correcting is not None:
        correcting.fields["record"].initial = text
    return retrying, correcting


def _sections(version: ModelVersion, groups: Iterable[ErrorGroup], most: int) -> list[GroupSection]:
    shown = [(group, group.letters[:most]) for group in groups]
    topic = topics.errors(version.model.slug, version.version).name
    retries = retried_letters(
        version.pk, topic, [letter.offset.offset for _, letters in shown for letter in letters]
    )
    return [
        GroupSection(group, tuple(LetterRow(letter, retries.get(letter.id)) for letter in letters))
        for group, letters in shown
    ]


def _mark(version: ModelVersion, letter: LetterSummary) -> RetriedLetter | None:
    topic = topics.errors(version.model.slug, version.version).name
    return retried_letters(version.pk, topic, [letter.offset.offset]).get(letter.id)


def _cursor(text: str) -> Cursor | None:
    """From ``partition:offset,partition:offset``; Http404 when it is something else."""
    if not text:
        return None
    try:
        places = [Offset.parse(item) for item in text.split(",")]
    except ValueError as err:
        raise Http404("There is no such page.") from err
    return {place.partition: place.offset for place in places}
