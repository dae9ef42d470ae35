"""The options of all runtimes as one form, and the way between its fields and the JSON that is
stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django import forms

from inference.forms.option_fields import form_field, read, shown
from inference.runtimes import PICTURES, RECORDS, RUNTIMES, WRAPPERS
from inference.runtimes.adapters import ADAPTERS
from inference.runtimes.errors import InferenceError, OptionError
from inference.runtimes.python import registry as python_models

if TYPE_CHECKING:
    from inference.runtimes.options import Option

Options = dict[str, Any]
DEFAULT_ADAPTER: Final = "raw"


@dataclass(frozen=True, slots=True)
class OptionEntry:
    """One option: ``name`` of the form's field, ``path`` in the JSON, and for which runtimes,
    feeding and adapter it is; empty: all.
    """

    name: str
    path: tuple[str, ...]
    option: Option
    runtimes: tuple[str, ...] = ()
    fed_with: str = ""
    adapter: str = ""

    def applies(self, runtime: str, fed_with: str, adapter: str) -> bool:
        """Whether it is an option of what was chosen."""
        if self.runtimes:
            return runtime in self.runtimes
        return (
            RUNTIMES[runtime].tensors
            and self.fed_with == fed_with
            and self.adapter in ("", adapter)
        )

    @property
    def titles(self) -> str:
        """The runtimes or the adapter that it is for, for people without JavaScript."""
        return "; ".join(RUNTIMES[name].title for name in self.runtimes) or (
            ADAPTERS[self.adapter].title if self.adapter else ""
        )


@dataclass(frozen=True, slots=True)
class OptionRow:
    """An entry and its field in a bound or unbound form, for the page."""

    entry: OptionEntry
    field: forms.BoundField

    @property
    def is_wide(self) -> bool:
        """Whether it needs the whole width."""
        return isinstance(self.field.field.widget, forms.Textarea)


class OptionsForm(forms.Form):
    """Never invalid by itself: ``add_error_of`` puts what the runtime objects to at the field
    that it names.
    """

    use_required_attribute = False

    def __init__(
        self,
        data: Any = None,
        *,
        prefix: str,
        runtime: str = "",
        fed_with: str = PICTURES,
        options: object = None,
    ) -> None:
        self.entries = tuple(_entries())
        found, self.unknown = _flat(self.entries, runtime, fed_with, options)
        super().__init__(data, prefix=prefix, initial=found)
        for entry in self.entries:
            self.fields[entry.name] = form_field(entry.option, _offered(entry))
        self.fields["output-adapter"] = forms.CharField(
            label="Adapter",
            required=False,
            initial=DEFAULT_ADAPTER,
            help_text="How the model's outputs become predictions.",
            widget=forms.Select(choices=[(name, kind.title) for name, kind in ADAPTERS.items()]),
        )

    @property
    def rows(self) -> dict[str, list[OptionRow]]:
        """For the page, by section: own, input, output, records."""
        found: dict[str, list[OptionRow]] = {"own": [], "input": [], "output": [], "records": []}
        for entry in self.entries:
            section = (
                "own"
                if entry.runtimes
                else "records"
                if entry.fed_with == RECORDS
                else entry.path[0]
            )
            found[section].append(OptionRow(entry, self[entry.name]))
        return found

    @property
    def adapter(self) -> forms.BoundField:
        """The choice of the adapter."""
        return self["output-adapter"]

    def options(self, runtime: str, fed_with: str) -> Options:
        """What the fields say, as JSON that holds only what is not a default."""
        found: Options = {}
        adapter = self["output-adapter"].value() or DEFAULT_ADAPTER
        for entry in self.entries:
            value = self._read(entry) if entry.applies(runtime, fed_with, adapter) else None
            if value is not None:
                section = found if len(entry.path) == 1 else found.setdefault(entry.path[0], {})
                section[entry.path[-1]] = value
        if (
            RUNTIMES[runtime].tensors
            and fed_with == PICTURES
            and (adapter != DEFAULT_ADAPTER or "output" in found)
        ):
            found["output"] = {"adapter": adapter, **found.get("output", {})}
        return found

    def _read(self, entry: OptionEntry) -> object:
        """The value of a field; None where it is the default, or where the field was not part of
        what was sent.
        """
        text = self[entry.name].value()
        return None if text is None else read(entry.option, text)

    def filled(self, runtime: str, fed_with: str, options: object) -> dict[str, Any]:
        """What the fields of these options show, by their HTML names, those at their defaults
        included.
        """
        found, unknown = _flat(self.entries, runtime, fed_with, options)
        if unknown:
            path = tuple(unknown[0].split("."))
            raise OptionError(path, "is not known, so it has no field.", unknown=True)
        adapter = str(found.get("output-adapter", DEFAULT_ADAPTER))
        names = [entry.name for entry in self.entries if entry.applies(runtime, fed_with, adapter)]
        if RUNTIMES[runtime].tensors and fed_with == PICTURES:
            names.append("output-adapter")
        return {self.add_prefix(name): found.get(name, self.fields[name].initial) for name in names}

    def add_error_of(self, runtime: str, fed_with: str, err: InferenceError) -> None:
        """Put an objection at the field of its option, else above all fields."""
        path = err.path if isinstance(err, OptionError) else ()
        adapter = self["output-adapter"].value() or DEFAULT_ADAPTER
        named = (
            entry.name
            for entry in self.entries
            if entry.path == path and entry.applies(runtime, fed_with, adapter)
        )
        self.add_error(next(named, None), str(err))


def _entries() -> Iterator[OptionEntry]:
    # Here and below, because every process imports the admin and few need pydantic.
    from inference.runtimes.options import options_of

    yield from _own_entries()
    pictures, records = WRAPPERS[PICTURES].load().Options, WRAPPERS[RECORDS].load().Options
    for option in options_of(pictures):
        if option.section is not None:
            for inner in options_of(option.section):
                yield OptionEntry(
                    f"{option.name}-{inner.name}",
                    (option.name, inner.name),
                    inner,
                    fed_with=PICTURES,
                )
    for adapter, kind in ADAPTERS.items():
        for option in options_of(kind.load().Options):
            yield OptionEntry(
                f"output-{adapter}-{option.name}",
                ("output", option.name),
                option,
                fed_with=PICTURES,
                adapter=adapter,
            )
    for option in options_of(records):
        yield OptionEntry(f"records-{option.name}", (option.name,), option, fed_with=RECORDS)


def _own_entries() -> Iterator[OptionEntry]:
    """The runtimes' own options; one that several have in common is one entry, so that its value
    stays when another of them is chosen.
    """
    from inference.runtimes.options import options_of

    shared: dict[tuple[str, str, str], tuple[Option, list[str]]] = {}
    for runtime, kind in RUNTIMES.items():
        try:
            options = options_of(kind.load().Options)
        except InferenceError:
            # A library is not installed: such a version can still be written as JSON.
            continue
        for option in options:
            key = (option.name, repr(option.default), option.help)
            shared.setdefault(key, (option, []))[1].append(runtime)
    for option, runtimes in shared.values():
        yield OptionEntry(f"{runtimes[0]}-{option.name}", (option.name,), option, tuple(runtimes))


def _offered(entry: OptionEntry) -> list[tuple[str, str]]:
    """Which classes there are, for the one option that names a class."""
    if entry.runtimes != ("python",) or entry.path != ("model",):
        return []
    found = [(item.qualified_name, _class_title(item)) for item in python_models.available()]
    return [
        ("", "Choose a class" if found else "No class is installed, and PYTHON_MODELS names none"),
        *found,
    ]


def _class_title(found: python_models.Found) -> str:
    return found.error or f"{found.display_name} {found.version} ({found.qualified_name})"


def _flat(
    entries: tuple[OptionEntry, ...], runtime: str, fed_with: str, options: object
) -> tuple[dict[str, Any], list[str]]:
    """What the fields show, by name; and the options that have no field."""
    if runtime not in RUNTIMES or not isinstance(options, Mapping):
        return {}, []
    given = dict(_paths(options))
    adapter = given.pop(("output", "adapter"), DEFAULT_ADAPTER)
    found: dict[str, Any] = {"output-adapter": adapter}
    for entry in entries:
        if entry.path in given and entry.applies(runtime, fed_with, str(adapter)):
            found[entry.name] = shown(entry.option, given.pop(entry.path))
    return found, [".".join(path) for path in given]


def _paths(options: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in options.items():
        if name in ("input", "output") and isinstance(value, Mapping):
            yield from (((name, inner), item) for inner, item in value.items())
        else:
            yield (name,), value
