"""Reading a run card: YAML in, a validated card or one clear sentence out."""

from __future__ import annotations

import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from mcbridge.errors import UserError, nearest
from plugin.card.model import Card
from plugin.card.processes import ProcessCard

__all__ = ["dump_card", "load_card", "override", "parse_card", "process_names", "template"]


def process_names() -> dict[str, type[BaseModel]]:
    """The processes that a card can name, with the section that holds their settings."""
    union = get_args(ProcessCard)[0]
    return {get_args(member.model_fields["name"].annotation)[0]: member for member in get_args(union)}


def load_card(path: str | Path) -> Card:
    """The card in a YAML file.

    Raises:
        UserError: the file cannot be read, is not YAML, or holds a wrong key or value.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise UserError(f"the run card {path} cannot be read: {reason}") from None
    return parse_card(text, str(path))


def parse_card(text: str, source: str = "run card") -> Card:
    """The card in a YAML text; ``source`` is what the error message calls it.

    Raises:
        UserError: the text is not YAML, or holds a wrong key or value.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise UserError(f"{source} is not valid YAML{where}: {problem}") from None
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise UserError(f"{source} must hold 'key: value' lines, but it holds a {type(data).__name__}")
    try:
        return Card.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{source}: " + "; ".join(_sentences(error))) from None


def override(card: Card, **entries: Any) -> Card:
    """The card with top-level entries replaced; entries that are None stay as they are.

    Raises:
        UserError: a value is not allowed; the sentence names it as a command-line option.
    """
    given = {key: value for key, value in entries.items() if value is not None}
    try:
        return Card.model_validate({**card.model_dump(mode="json"), **given})
    except ValidationError as error:
        raise UserError("command line: " + "; ".join(_sentences(error))) from None


def dump_card(card: Card, comments: bool = False) -> str:
    """The card as YAML with every default filled in; with ``comments``, each entry is explained."""
    if not comments:
        return yaml.safe_dump(card.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return "\n".join(_commented(card, 0)) + "\n"


def template(process: str) -> str:
    """A commented run card for a process.

    Raises:
        UserError: no such process.
    """
    names = process_names()
    if process not in names:
        raise UserError(f"no process '{process}'; the processes are {', '.join(names)}{nearest(process, names)}")
    return dump_card(Card.model_validate({"process": {"name": process}}), comments=True)


def _commented(section: BaseModel, depth: int) -> Iterable[str]:
    indent = "  " * depth
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            summary = (type(value).__doc__ or "").strip().splitlines()[0]
            yield f"{indent}{name}:  # {summary}"
            yield from _commented(value, depth + 1)
            continue
        plain = section.model_dump(mode="json", include={name})[name]
        text = yaml.safe_dump(plain, default_flow_style=True).replace("\n...\n", "").strip()
        comment = f"  # {field.description}" if field.description else ""
        yield f"{indent}{name}: {text}{comment}"


def _sentences(error: ValidationError) -> Iterable[str]:
    for problem in error.errors():
        path = [part for part in problem["loc"] if part not in process_names()]
        entry = printable(".".join(str(part) for part in path)) or "the card"
        given = _short(problem["input"])
        kind = problem["type"]
        if kind == "extra_forbidden":
            allowed = _keys_at(problem["loc"][:-1])
            key = str(problem["loc"][-1])
            yield f"unknown key '{entry}'{nearest(key, allowed)} (allowed: {', '.join(allowed)})"
        elif kind == "union_tag_invalid":
            tag = problem["input"].get("name")
            names = process_names()
            yield f"no process '{printable(str(tag))}'{nearest(str(tag), names)} (allowed: {', '.join(names)})"
        elif kind == "union_tag_not_found":
            yield f"'{entry}' must be a name or a mapping with a 'name' (allowed: {', '.join(process_names())})"
        elif kind == "literal_error" and isinstance(problem["input"], str):
            expected = problem["ctx"]["expected"]
            options = [option.strip(" '") for option in expected.replace(" or ", ", ").split(",")]
            yield f"'{entry}' must be {expected}, not {given}{nearest(problem['input'], options)}"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            yield f"'{entry}': {message[0].lower()}{message[1:]}, but {given} was given"


def printable(text: str) -> str:
    """The text with what no terminal should get (line ends, control characters, lone surrogates) as escapes."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys_at(loc: tuple[int | str, ...]) -> list[str]:
    """The valid keys of the section at a location of pydantic's error."""
    model: type[BaseModel] = Card
    names = process_names()
    for part in loc:
        if isinstance(part, str) and part in names:
            model = names[part]
        elif isinstance(part, str) and part in model.model_fields:
            inner = _section_in(model.model_fields[part].annotation)
            model = inner or model
    return list(model.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        for option in get_args(annotation):
            if isinstance(option, type) and issubclass(option, BaseModel):
                return option
    return None
