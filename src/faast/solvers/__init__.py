"""Solvers compute weights, a temperature and leave-one-out scores from statistics."""

from __future__ import annotations

from typing import Any

from faast.solvers.auto import Auto
from faast.solvers.base import ClassPrior, Solution, Solver
from faast.solvers.discriminant import Discriminant
from faast.solvers.pseudo_inverse import PseudoInverse
from faast.solvers.ridge import Ridge

SOLVERS: dict[str, type[Solver]] = {
    solver.__name__: solver for solver in (Auto, Discriminant, PseudoInverse, Ridge)
}
"""The solvers that a file can name."""

AUTO = Auto()


def as_solver(solver: Solver | str) -> Solver:
    """Return a solver; "auto" is short for ``Auto()``.

    Raises
    ------
    ValueError
        If it is neither a solver nor the word "auto".
    """
    if isinstance(solver, Solver):
        return solver
    if solver == "auto":
        return AUTO
    raise ValueError(f'solver must be "auto" or a solver such as Ridge(), got {solver!r}')


def describe_solver(solver: Solver | str) -> dict[str, Any] | str:
    """Return the name and settings of a solver, as a file holds them.

    Raises
    ------
    ValueError
        If the solver is not one of `SOLVERS`.
    """
    if isinstance(solver, str):
        return solver
    name = type(solver).__name__
    if SOLVERS.get(name) is not type(solver):
        raise ValueError(
            f"a file can only name the library's own solvers ({', '.join(SOLVERS)}), got {name}"
        )
    return {"name": name, "settings": vars(solver).copy()}


def solver_from(description: dict[str, Any] | str) -> Solver | str:
    """Rebuild a solver from its description.

    Raises
    ------
    ValueError, KeyError, TypeError
        If there is no such solver, or it does not take these settings.
    """
    if isinstance(description, str):
        as_solver(description)
        return description
    return SOLVERS[description["name"]](**description["settings"])


__all__ = [
    "SOLVERS",
    "Auto",
    "ClassPrior",
    "Discriminant",
    "PseudoInverse",
    "Ridge",
    "Solution",
    "Solver",
    "as_solver",
    "describe_solver",
    "solver_from",
]
