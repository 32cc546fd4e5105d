"""Groups of options: one parameter to a command, one option a field to Typer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let Typer call a command some of whose parameters are groups.

    A group is a dataclass whose fields all have a default; its name among the parameters is seen
    by no user. Options stand in ``--help`` where the group stands in the signature.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type] = {}
    shown: list[Parameter] = []
    for parameter in signature(command).parameters.values():
        kind = hints[parameter.name]
        if not is_dataclass(kind):
            shown.append(_option(parameter.name, parameter.default, kind))
            continue
        assert isinstance(kind, type)
        groups[parameter.name] = kind
        kinds = get_type_hints(kind, include_extras=True)
        shown += [_option(field.name, field.default, kinds[field.name]) for field in fields(kind)]

    @wraps(command)
    def regrouped(**given: Any) -> None:
        made = {
            name: kind(**{field.name: given.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        command(**given, **made)

    described: Any = regrouped
    del described.__wrapped__  # Typer would look through it at the groups
    described.__signature__ = Signature(shown)
    described.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return regrouped


def _option(name: str, default: Any, kind: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
