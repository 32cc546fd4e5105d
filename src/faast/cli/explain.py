"""`faast explain`: say what in one row speaks for its label, and what against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from faast.cli._confusion import check_plot
from faast.cli._evidence import draw_evidence, show_evidence
from faast.cli._labels import class_named
from faast.cli._model import load_classifier, open_encoder
from faast.cli._options import Json, Model
from faast.cli._output import check_output, emit
from faast.cli._rows import parse_row


def explain(
    model: Model,
    row: Annotated[
        str,
        typer.Option(
            help="A text, an image file, or numbers separated by commas, in the order of the "
            "columns that were learned.",
            show_default=False,
        ),
    ],
    label: Annotated[
        str | None, typer.Option(help="Label to explain; by default the most probable one.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Label to compare with; by default the most similar other one."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Image file for a plot of the words, regions or columns.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what in one row speaks for its label, and what against.

    Effects are differences of log-probabilities between the two labels, in nats.
    """
    if plot is not None:
        check_output(plot, model)
        check_plot(plot)
    classifier = load_classifier(model)
    open_encoder(classifier)
    given = parse_row(classifier, row)
    chosen = [None if name is None else class_named(classifier, name) for name in (label, against)]
    evidence = classifier.evidence(given, *chosen)
    probabilities = classifier.predict_proba([given])[0].tolist()
    probability = dict(zip(classifier.classes_.tolist(), probabilities, strict=True))
    facts: dict[str, Any] = {"label": evidence.label, "probability": probability[evidence.label]}
    if evidence.against is not None:
        facts |= {"against": evidence.against, "against_probability": probability[evidence.against]}
    facts |= {"lead": evidence.lead, "exact": evidence.exact, "rest": evidence.rest}
    if classifier.measures_novelty:
        facts["novelty_p_value"] = float(classifier.novelty_p_value([given])[0])
    if plot is not None:
        draw_evidence(evidence, plot, row if classifier.modality == "image" else None)
        facts["plot"] = str(plot)
    if json:
        emit(facts | {"parts": [part._asdict() for part in evidence.parts]}, json)
        return
    emit(facts, json)
    show_evidence(evidence, as_text=classifier.modality == "text")
