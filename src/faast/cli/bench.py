"""`faast bench`: the experiments of the FAAST paper on the user's own rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated

import numpy as np
import typer

from faast._utils.progress import progress_bar
from faast.cli._command import Command, add_command
from faast.cli._examples import EXAMPLES
from faast.cli._options import (
    ENCODING,
    READING,
    Encoding,
    Json,
    Reading,
    Test,
    Train,
    method_option,
)
from faast.cli._output import emit, flatten, show_table
from faast.cli._rows import encode_pair
from faast.evaluation.continual import TaskResult, class_incremental
from faast.evaluation.efficiency import (
    QUICK_SIZES,
    SIZES,
    Cost,
    Task,
    list_tasks,
    measure_tasks,
    median_cost,
)
from faast.evaluation.few_shot import EpisodeResult, Episodes
from faast.evaluation.few_shot import few_shot as run_episodes
from faast.evaluation.measure import (
    OURS,
    Measurement,
    build,
    check_methods,
    measure,
    warm_up,
)
from faast.evaluation.metrics import mean_and_interval
from faast.evaluation.sensitivity import sweep_alpha

USUAL_METHODS = ("nearest-mean", "k-nn", "ridge-cv", "paper-faast")
QUICK_EPISODES = 20
QUICK_TASKS = 2

Methods = Annotated[list[str] | None, method_option(USUAL_METHODS)]
Seed = Annotated[int, typer.Option(help="Seed of all random choices.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="Run a smaller experiment, for a rough answer soon.")
]


def few_shot(
    train: Train,
    test: Test,
    shots: Annotated[int, typer.Option(help="Rows to learn per class.")] = 5,
    ways: Annotated[
        int | None, typer.Option(help="Classes per episode; all of them by default.")
    ] = None,
    queries: Annotated[int, typer.Option(help="Rows to test per class.")] = 20,
    episodes: Annotated[int, typer.Option(help="Number of episodes.")] = 600,
    seed: Seed = 0,
    method: Methods = None,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    quick: Quick = False,
    json: Json = False,
) -> None:
    """Learn a few rows per class, many times over.

    Each episode draws a few rows of TRAIN to learn and some of TEST to test, at random. The result
    is the mean accuracy over all episodes with its 95% interval.
    """
    methods = _choose_methods(method)
    count = min(episodes, QUICK_EPISODES) if quick else episodes
    learned, asked = encode_pair(train, test, encoding, reading)
    found: dict[str, EpisodeResult] = {}

    def fraction() -> float:
        return len(found[OURS].accuracies) / count

    runs = run_episodes(learned, asked, methods, Episodes(count, ways, shots, queries, seed))
    for found in progress_bar(runs, fraction, "Episodes"):  # noqa: B007, `fraction` reads it
        pass
    _report(
        f"{count} episodes of {shots} shots",
        {
            name: (*result.interval, float(np.mean(result.seconds)))
            for name, result in found.items()
        },
        json,
    )


def full(
    train: Train,
    test: Test,
    method: Methods = None,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    quick: Quick = False,
    json: Json = False,
) -> None:
    """Learn all rows of TRAIN and test all rows of TEST.

    The result is the accuracy with its 95% interval over the rows of TEST. With --quick and
    without --method only faast is measured.
    """
    methods = [OURS] if quick and method is None else _choose_methods(method)
    learned, asked = encode_pair(train, test, encoding, reading)
    warm_up(methods)
    found: dict[str, Measurement] = {}
    for name in progress_bar(methods, lambda: len(found) / len(methods), "Comparing"):
        found[name] = measure(partial(build, name), learned, asked)
    _report(
        f"{len(learned[0]):,} rows learned, {len(asked[0]):,} tested",
        {name: (*mean_and_interval(one.hits), one.seconds) for name, one in found.items()},
        json,
    )


def streaming(
    train: Train,
    test: Test,
    tasks: Annotated[int, typer.Option(help="Number of tasks that the classes arrive in.")] = 5,
    seed: Seed = 0,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    quick: Quick = False,
    json: Json = False,
) -> None:
    """Learn new classes of TRAIN task by task.

    After each task the accuracy on all classes so far is compared with learning them jointly, and
    with other ways to learn a stream.
    """
    learned, asked = encode_pair(train, test, encoding, reading)
    count = min(tasks, QUICK_TASKS) if quick else tasks
    done: list[TaskResult] = []
    runs = class_incremental(learned, asked, count, seed=seed)
    for result in progress_bar(runs, lambda: len(done) / count, "Tasks"):
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


def efficiency(method: Methods = None, quick: Quick = False, json: Json = False) -> None:
    """Measure time and memory on synthetic rows.

    Every method and number of rows is measured in a process of its own.
    """
    methods = _choose_methods(method)[1:]
    listed = list_tasks(methods, QUICK_SIZES if quick else SIZES)
    found: dict[Task, Cost] = {}
    points = measure_tasks(listed)
    for task, costs in progress_bar(points, lambda: len(found) / len(listed), "Measuring"):
        found[task] = median_cost(costs)
    if json:
        emit(
            flatten({f"{task.name}_{task.rows}": asdict(cost) for task, cost in found.items()}),
            json,
        )
        return
    show_table(
        f"Synthetic rows of {listed[0].features} features, {listed[0].classes} classes",
        [
            "",
            "rows",
            "accuracy",
            "seconds",
            "peak MB",
            "kB to predict",
            "µs per row",
            "rows/s at 256",
        ],
        [
            [
                task.name,
                f"{task.rows:,}",
                f"{cost.accuracy:.1%}",
                f"{cost.seconds:.3g}",
                f"{cost.peak_bytes / 1e6:.0f}",
                f"{cost.bytes / 1e3:.1f}",
                f"{1e6 * cost.p50_1:.0f}",
                f"{cost.throughput(256):,.0f}",
            ]
            for task, cost in found.items()
        ],
    )


def sensitivity(
    train: Train,
    test: Test,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Vary the exponent alpha of the paper's method.

    Shows how much the accuracy on TEST depends on it, beside the accuracy of faast, which has no
    such setting.
    """
    learned, asked = encode_pair(train, test, encoding, reading)
    [sweep] = sweep_alpha([learned], asked)
    if json:
        by_alpha = {f"alpha_{alpha:g}_accuracy": found for alpha, found in sweep.alphas.items()}
        emit({**by_alpha, "spread": sweep.spread, f"{OURS}_accuracy": sweep.ours}, json)
        return
    rows = [[f"paper, α = {alpha:g}", f"{found:.1%}"] for alpha, found in sweep.alphas.items()]
    show_table("Accuracy by exponent", ["", "accuracy"], [*rows, [OURS, f"{sweep.ours:.1%}"]])


def _choose_methods(named: Sequence[str] | None) -> list[str]:
    methods = list(named or USUAL_METHODS)
    check_methods(methods)
    return [OURS, *methods]


def _report(title: str, found: dict[str, tuple[float, float, float]], as_json: bool) -> None:
    """Report accuracy, half of its 95% interval and seconds to fit of every method."""
    if as_json:
        names = ("accuracy", "half_interval", "fit_seconds")
        emit(
            flatten({name: dict(zip(names, facts, strict=True)) for name, facts in found.items()}),
            as_json,
        )
        return
    show_table(
        title,
        ["", "accuracy", "± (95%)", "seconds to fit"],
        [[name, f"{a:.1%}", f"{h:.1%}", f"{s:.3g}"] for name, (a, h, s) in found.items()],
    )


app = typer.Typer(
    help="Run the paper's experiments on your own rows.",
    no_args_is_help=True,
)
COMMANDS: dict[str, Command] = {
    "few-shot": few_shot,
    "full": full,
    "streaming": streaming,
    "efficiency": efficiency,
    "sensitivity": sensitivity,
}
for name, command in COMMANDS.items():
    add_command(app, command, EXAMPLES[f"bench {name}"], name)
