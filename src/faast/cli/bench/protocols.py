"""`faast bench few-shot`, `full` and `streaming`: accuracy protocols on rows from files."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import numpy as np
import typer

from faast.cli.bench.options import USUAL, Methods, Quick, Seed
from faast.cli.comparing import encoded_pair
from faast.cli.options import ENCODING, READING, Data, Encoding, Json, Reading
from faast.cli.output import emit, one_line_errors, show_table
from faast.evaluation.continual import class_incremental
from faast.evaluation.few_shot import EpisodeResult, Episodes
from faast.evaluation.few_shot import few_shot as run_episodes
from faast.evaluation.methods import (
    OURS,
    Measurement,
    build,
    check_methods,
    measure,
    over_rows,
    warm_up,
)
from faast.progress import follow

QUICK_EPISODES = 20


@one_line_errors
def few_shot(
    train: Data,
    test: Data,
    shots: Annotated[int, typer.Option(help="Rows a class to learn.")] = 5,
    ways: Annotated[int | None, typer.Option(help="Classes an episode; all if not given.")] = None,
    queries: Annotated[int, typer.Option(help="Rows a class to ask.")] = 20,
    episodes: Annotated[int, typer.Option(help="Supports drawn.")] = 600,
    seed: Seed = 0,
    method: Methods = None,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    quick: Quick = False,
    json: Json = False,
) -> None:
    """Learn a few rows of TRAIN a class, ask rows of TEST, many times; 95% intervals."""
    methods = _methods(method)
    count = min(episodes, QUICK_EPISODES) if quick else episodes
    drawn = Episodes(count, ways, shots, queries, seed)
    learned, asked = encoded_pair(train, test, encoding, reading)
    found: dict[str, EpisodeResult] = {}

    def fraction() -> float:
        return len(found[OURS].accuracies) / count

    runs = run_episodes(learned, asked, methods, drawn)
    for found in follow(runs, fraction, "Episodes", enabled=True):  # noqa: B007, grows in place
        pass
    _report(
        f"{count} episodes of {shots} shots",
        {name: (*one.interval, float(np.mean(one.seconds))) for name, one in found.items()},
        json,
    )


@one_line_errors
def full(
    train: Data,
    test: Data,
    method: Methods = None,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    quick: Quick = False,
    json: Json = False,
) -> None:
    """Learn all rows of TRAIN, ask all of TEST; 95% intervals over test rows."""
    methods = [OURS] if quick and method is None else _methods(method)
    learned, asked = encoded_pair(train, test, encoding, reading)
    warm_up(methods)
    found: dict[str, Measurement] = {}
    steps = follow(methods, lambda: len(found) / len(methods), "Comparing", enabled=True)
    for name in steps:
        found[name] = measure(partial(build, name), learned, asked)
    _report(
        f"{len(learned[0]):,} rows learned, {len(asked[0]):,} asked",
        {name: (*over_rows(one.hits), one.seconds) for name, one in found.items()},
        json,
    )


@one_line_errors
def streaming(
    train: Data,
    test: Data,
    tasks: Annotated[int, typer.Option(help="Tasks that the classes arrive in.")] = 5,
    seed: Seed = 0,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    quick: Quick = False,
    json: Json = False,
) -> None:
    """Learn classes of TRAIN task by task; beside joint training and inexact updates."""
    learned, asked = encoded_pair(train, test, encoding, reading)
    count = min(tasks, 2) if quick else tasks
    done: list[Any] = []
    runs = class_incremental(learned, asked, count, seed=seed)
    for result in follow(runs, lambda: len(done) / count, "Tasks", enabled=True):
        done.append(result)
    if json:
        last = done[-1]
        emit(
            {
                "classes": last.classes,
                "accuracy": last.accuracy,
                "joint_accuracy": last.joint,
                "identical_to_joint": all(one.identical for one in done),
                **{f"{name} accuracy": accuracy for name, accuracy in last.rivals.items()},
            },
            json,
        )
        return
    show_table(
        "Accuracy on the classes so far",
        ["classes", "faast", "jointly", "same floats", *done[0].rivals],
        [
            [
                str(one.classes),
                f"{one.accuracy:.1%}",
                f"{one.joint:.1%}",
                "yes" if one.identical else "no",
                *(f"{accuracy:.1%}" for accuracy in one.rivals.values()),
            ]
            for one in done
        ],
    )


def _methods(named: list[str] | None) -> list[str]:
    check_methods(named or ())
    return [OURS, *(named or USUAL)]


def _report(title: str, found: dict[str, tuple[float, float, float]], as_json: bool) -> None:
    facts = ("accuracy", "half_interval", "fit_seconds")
    if as_json:
        emit(
            {
                f"{name}_{fact}".replace("-", "_"): value
                for name, values in found.items()
                for fact, value in zip(facts, values, strict=True)
            },
            as_json,
        )
        return
    show_table(
        title,
        ["", "accuracy", "± (95%)", "seconds to fit"],
        [[name, f"{a:.1%}", f"{h:.1%}", f"{s:.3g}"] for name, (a, h, s) in found.items()],
    )
