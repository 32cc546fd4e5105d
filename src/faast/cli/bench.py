"""`faast bench`: the protocols of the paper on one's own rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import numpy as np
import typer

from faast._utils.progress import progress_bar
from faast.cli._options import (
    ENCODING,
    EXAMPLES,
    READING,
    Data,
    Encoding,
    Json,
    Reading,
    epilog,
    grouped,
)
from faast.cli._output import emit, one_line_errors, show_table
from faast.cli.compare import encoded_pair
from faast.evaluation.baselines import BASELINES
from faast.evaluation.continual import class_incremental
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

USUAL = ("nearest-mean", "k-nn", "ridge-cv", "paper-faast")

Methods = Annotated[
    list[str] | None,
    typer.Option("--method", help=f"Beside ours; may be repeated. {', '.join(BASELINES)}."),
]
Seed = Annotated[int, typer.Option(help="Of every random choice.")]
Quick = Annotated[bool, typer.Option("--quick", help="Less of everything; a rough answer soon.")]


@one_line_errors
def efficiency(method: Methods = None, quick: Quick = False, json: Json = False) -> None:
    """Measure seconds, memory and latency on synthetic rows, every point in a fresh process."""
    methods = method or list(USUAL)
    check_methods(methods)
    listed = list_tasks(methods, QUICK_SIZES if quick else SIZES)
    costs: dict[Task, Cost] = {}
    points = measure_tasks(listed)
    measured = progress_bar(points, lambda: len(costs) / len(listed), "Measuring", enabled=True)
    for task, found in measured:
        costs[task] = median_cost(found)
    if json:
        emit(
            {
                f"{task.name}_{task.rows}_{fact}".replace("-", "_"): value
                for task, cost in costs.items()
                for fact, value in asdict(cost).items()
            },
            json,
        )
        return
    show_table(
        "Synthetic rows of 64 features, 10 classes",
        [
            "",
            "rows",
            "accuracy",
            "seconds",
            "peak MB",
            "kB to predict",
            "µs a row",
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
            for task, cost in costs.items()
        ],
    )


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
    for found in progress_bar(runs, fraction, "Episodes", enabled=True):  # noqa: B007, grows in place
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
    steps = progress_bar(methods, lambda: len(found) / len(methods), "Comparing", enabled=True)
    for name in steps:
        found[name] = measure(partial(build, name), learned, asked)
    _report(
        f"{len(learned[0]):,} rows learned, {len(asked[0]):,} asked",
        {name: (*mean_and_interval(one.hits), one.seconds) for name, one in found.items()},
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
    for result in progress_bar(runs, lambda: len(done) / count, "Tasks", enabled=True):
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


@one_line_errors
def sensitivity(
    train: Data,
    test: Data,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Learn TRAIN with each exponent of the paper, and with ours, which has none; ask TEST."""
    learned, asked = encoded_pair(train, test, encoding, reading)
    [sweep] = sweep_alpha([learned], asked)
    if json:
        by_alpha = {f"alpha_{alpha:g}_accuracy": found for alpha, found in sweep.alphas.items()}
        emit({**by_alpha, "spread": sweep.spread, f"{OURS}_accuracy": sweep.ours}, json)
        return
    rows = [[f"paper, α = {alpha:g}", f"{found:.1%}"] for alpha, found in sweep.alphas.items()]
    show_table("Accuracy by exponent", ["", "accuracy"], [*rows, [OURS, f"{sweep.ours:.1%}"]])


app = typer.Typer(
    help="Measure ours beside other methods: few-shot, full data, streams, exponents, efficiency.",
    no_args_is_help=True,
)
COMMANDS: dict[str, Callable[..., None]] = {
    "few-shot": few_shot,
    "full": full,
    "streaming": streaming,
    "efficiency": efficiency,
    "sensitivity": sensitivity,
}
for name, command in COMMANDS.items():
    app.command(name, epilog=epilog(EXAMPLES[f"bench {name}"]))(grouped(command))
