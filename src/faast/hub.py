"""Save models to the Hugging Face Hub, or to folders of the same layout, and load them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np

from faast._utils.imports import import_optional
from faast._version import __version__
from faast.core import persistence
from faast.estimators import FaastClassifier, FaastRegressor, NaturalGradientClassifier
from faast.estimators.labels import describe_labels

_hub: Any = import_optional("huggingface_hub", "hub")

MODEL_FILE = "model.faast"
SHOWN_CLASSES = 50
"""Number of classes that a model card names."""

Classifier: TypeAlias = FaastClassifier | NaturalGradientClassifier
Model: TypeAlias = Classifier | FaastRegressor


class HubModel(  # type: ignore[call-arg]  # an option of the base class
    _hub.ModelHubMixin,
    library_name="faast",
    tags=["faast", "few-shot", "fast-weights"],
):
    """A model with ``save_pretrained``, ``from_pretrained`` and ``push_to_hub``.

    Parameters
    ----------
    model : FaastClassifier, NaturalGradientClassifier or FaastRegressor
        Those of texts and images are among them.
    results : mapping of str to float, optional
        Figures for the model card, such as those that ``faast evaluate --json`` measures.

    Notes
    -----
    The model is one file, the one that `faast.load` reads, with the same checks. The encoder is
    not part of it: the file names the encoder, which is loaded from its own source.
    """

    def __init__(self, model: Model, results: Mapping[str, float] | None = None) -> None:
        self.model = model
        self.results = dict(results or {})

    def _save_pretrained(self, save_directory: Path) -> None:
        self.model.save(save_directory / MODEL_FILE)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        results: Mapping[str, float] | None = None,
    ) -> Self:
        path = os.path.join(model_id, MODEL_FILE)  # noqa: PTH118 model_id may be a name on the Hub
        if not Path(model_id).is_dir():
            path = _hub.hf_hub_download(
                model_id,
                MODEL_FILE,
                revision=revision,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                token=token,
                library_name="faast",
                library_version=__version__,
            )
        return cls(persistence.load(path), results)

    def generate_model_card(self, *args: Any, **kwargs: Any) -> Any:
        """Return the model card, whose text is that of `write_card`."""
        header = self._hub_mixin_info.model_card_data.to_yaml()
        return _hub.ModelCard(f"---\n{header}\n---\n\n{write_card(self.model, self.results)}")


def write_card(model: Model, results: Mapping[str, float]) -> str:
    """Return the text of a model card: what was learned, results, and how to load the model.

    Parameters
    ----------
    model : FaastClassifier, NaturalGradientClassifier or FaastRegressor
        Those of texts and images are among them.
    results : mapping of str to float
        Figures by name.

    Returns
    -------
    str
        Markdown.
    """
    facts = {
        "encoder": model.encoder_name or "none",
        "rows": "features" if model.modality == "features" else f"{model.modality} rows",
    }
    if isinstance(model, FaastRegressor):
        facts["numbers"] = ", ".join(getattr(model, "target_names_", [str(model.n_targets_)]))
        if model.measures_errors:
            facts["R², left out"] = ", ".join(f"{r2:.3f}" for r2 in np.ravel(model.loo_r2_))
        if model.learned_ is not None:
            facts["rows learned"] = f"{model.n_rows_:g}"
    else:
        facts |= _describe_classes(model)
    lines = [
        f"# {type(model).__name__}",
        "",
        "Fast weights on frozen features, learned in closed form in one pass.",
        "",
        *_table(facts),
        "",
        "## Results",
        "",
        *(_table(results) if results else ["Not measured."]),
        "",
        "## Use",
        "",
        "```python",
        "from faast.hub import HubModel",
        "",
        "model = HubModel.from_pretrained(NAME).model",
        "```",
        "",
    ]
    return "\n".join(lines)


def _describe_classes(model: Classifier) -> dict[str, str]:
    classes = [str(label) for label in model.classes_.tolist()]
    more = f" and {len(classes) - SHOWN_CLASSES} more" if len(classes) > SHOWN_CLASSES else ""
    facts = {"classes": ", ".join(classes[:SHOWN_CLASSES]) + more}
    if model.learned_ is not None:
        facts["rows learned"] = f"{model.n_rows_:g}"
        if model.statistics_ is not None:
            facts["data hash"] = f"`{data_hash(model)}`, the same for these rows in any order"
    return facts


def data_hash(model: Classifier) -> str:
    """Hash the statistics that a classifier has learned; the order of rows does not change them.

    Parameters
    ----------
    model : FaastClassifier or NaturalGradientClassifier

    Returns
    -------
    str
        SHA-256 in hexadecimal.

    Raises
    ------
    ValueError
        If the model keeps no statistics: it was compacted, has learned no rows, or learned a
        stream in one pass.
    """
    statistics = model.statistics_
    if statistics is None:
        raise ValueError(f"this {type(model).__name__} keeps no statistics that could be hashed")
    classes = describe_labels(model.classes_)
    return persistence.content_hash(statistics.to_state().tensors, {"classes": classes})


def _table(facts: Mapping[str, object]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {name} | {_cell(fact)} |" for name, fact in facts.items())]


def _cell(fact: object) -> str:
    """Write a fact on one line, without the bars that would end the cell of a table."""
    return " ".join(str(fact).split()).replace("|", "\\|")
