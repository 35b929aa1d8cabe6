"""The tables of the run card reference, made from the model that validates the cards."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types as limits
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from plugin.card import Card, process_names

__all__ = ["tables"]


def tables() -> str:
    """Markdown: one section for every section of the card, one row for every entry."""
    parts = ["## Top level", *_table(Card)]
    for name, field in Card.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            parts += [f"## `{name}`", _summary(section), *_table(section)]
    for name, section in process_names().items():
        parts += [f"## `process: {{name: {name}}}`", _summary(section), *_table(section)]
        for key, inner in _nested(section):
            parts += [f"### `{key}` of {name}", _summary(inner), *_table(inner)]
    return "\n\n".join(parts) + "\n"


def _summary(section: type[BaseModel]) -> str:
    return " ".join((section.__doc__ or "").split())


def _table(section: type[BaseModel]) -> Iterator[str]:
    rows = ["| entry | values | default | meaning |", "|---|---|---|---|"]
    for name, field in section.model_fields.items():
        inner = _models(field.annotation)
        if name == "name" or (inner and section is Card):
            continue
        values = "a section, below" if inner else _values(field.annotation, field.metadata)
        rows.append(
            f"| `{name}` | {values} | {_default(field)} | {(field.description or '').replace('|', chr(92) + '|')} |"
        )
    yield "\n".join(rows)


def _nested(section: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in section.model_fields.items():
        for model in _models(field.annotation):
            yield name, model


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return [model for option in get_args(annotation) for model in _models(option)]
    return []


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return ""
    plain = [list(item) if isinstance(item, tuple) else item for item in value] if isinstance(value, tuple) else value
    return f"`{yaml.safe_dump(plain, default_flow_style=True).replace(chr(10) + '...', '').strip()}`"


_WORDS = {int: "whole number", float: "number", str: "text", bool: "true, false", type(None): "null"}


def _values(annotation: Any, metadata: list[Any] | tuple[Any, ...] = ()) -> str:
    """What may stand there, in words: types, limits, names."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _values(arguments[0], [*arguments[1:], *metadata])
    if origin in (Union, types.UnionType):
        return ", ".join(_values(option) for option in arguments) + _limits(metadata)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return f"list of {_values(arguments[0])}"
    if origin is tuple:
        return "[" + ", ".join(_values(argument) for argument in arguments) + "]"
    if origin is dict:
        return f"mapping of {_values(arguments[0])} to {_values(arguments[1])}"
    return _WORDS.get(annotation, str(getattr(annotation, "__name__", annotation))) + _limits(metadata)


def _limits(metadata: list[Any] | tuple[Any, ...]) -> str:
    found = []
    for item in metadata:
        for limit in getattr(item, "metadata", [item]):
            for kind, sign in ((limits.Gt, ">"), (limits.Ge, ">="), (limits.Lt, "<"), (limits.Le, "<=")):
                if isinstance(limit, kind):
                    found.append(f"{sign} {getattr(limit, kind.__name__.lower()):g}")
    return (" " + ", ".join(found)) if found else ""
