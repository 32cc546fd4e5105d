"""Solvers: moments in, fast weights out."""

from typing import Any

from faast.estimators.natural.one_pass import Natural
from faast.solvers.base import Solver
from faast.solvers.discriminant import Discriminant
from faast.solvers.pseudo_inverse import PseudoInverse
from faast.solvers.ridge import Ridge

SOLVERS: dict[str, type[Solver | Natural]] = {
    solver.__name__: solver for solver in (PseudoInverse, Ridge, Discriminant, Natural)
}
"""The solvers that a file can name."""


def describe_solver(solver: Solver | Natural) -> dict[str, Any]:
    """Return the name and settings of a solver, as a file keeps them.

    Raises
    ------
    ValueError
        The solver is none of `SOLVERS`.
    """
    name = type(solver).__name__
    if SOLVERS.get(name) is not type(solver):
        raise ValueError(
            f"a file can only name the library's own solvers ({', '.join(SOLVERS)}), got {name}"
        )
    return {"name": name, "settings": vars(solver).copy()}


def solver_from(description: dict[str, Any]) -> Any:
    """Rebuild a solver from its description."""
    return SOLVERS[description["name"]](**description["settings"])


__all__ = ["SOLVERS", "Discriminant", "Natural", "PseudoInverse", "Ridge", "Solver"]
