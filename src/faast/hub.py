"""Save classifiers to the Hugging Face Hub, or to folders of the same layout, and load them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from faast._utils.imports import import_optional
from faast._version import __version__
from faast.core import persistence
from faast.estimators import EncodedClassifier, FaastClassifier
from faast.estimators.class_memory import ClassMemory
from faast.estimators.labels import describe_labels

_hub: Any = import_optional("huggingface_hub", "hub")

MODEL_FILE = "model.faast"
SHOWN_CLASSES = 50
"""Number of classes that a model card names."""


class HubModel(  # type: ignore[call-arg]  # an option of the base class
    _hub.ModelHubMixin,
    library_name="faast",
    tags=["faast", "few-shot", "fast-weights"],
):
    """A classifier with ``save_pretrained``, ``from_pretrained`` and ``push_to_hub``.

    Parameters
    ----------
    model : FaastClassifier, TextClassifier or ImageClassifier
    results : mapping of str to float, optional
        Figures for the model card, such as those that ``faast evaluate --json`` measures.

    Notes
    -----
    The model is one file, the one that `faast.load` reads, with the same checks. The encoder is
    not part of it: the file names the encoder, which is loaded from its own source.
    """

    def __init__(
        self,
        model: FaastClassifier | EncodedClassifier,
        results: Mapping[str, float] | None = None,
    ) -> None:
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


def write_card(model: FaastClassifier | EncodedClassifier, results: Mapping[str, float]) -> str:
    """Return the text of a model card: what was learned, results, and how to load the model.

    Parameters
    ----------
    model : FaastClassifier, TextClassifier or ImageClassifier
    results : mapping of str to float
        Figures by name.

    Returns
    -------
    str
        Markdown.
    """
    classifier = model.classifier if isinstance(model, EncodedClassifier) else model
    classes = [str(label) for label in classifier.classes_.tolist()]
    more = f" and {len(classes) - SHOWN_CLASSES} more" if len(classes) > SHOWN_CLASSES else ""
    facts = {
        "encoder": model.encoder_name if isinstance(model, EncodedClassifier) else "none",
        "rows": f"{model.modality} rows" if isinstance(model, EncodedClassifier) else "features",
        "classes": ", ".join(classes[:SHOWN_CLASSES]) + more,
    }
    learned = classifier.learned_
    if learned is not None:
        facts["rows learned"] = f"{classifier.n_rows_:g}"
    if isinstance(learned, ClassMemory):
        facts["data hash"] = f"`{data_hash(learned)}`, the same for these rows in any order"
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


def data_hash(learned: ClassMemory) -> str:
    """Hash the statistics that were learned; the order of rows does not change the hash.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    state = learned.memory.to_state()
    tensors = {name: tensor for name, tensor in state.tensors.items() if "weights." not in name}
    return persistence.content_hash(tensors, {"classes": describe_labels(learned.classes)})


def _table(facts: Mapping[str, object]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {name} | {fact} |" for name, fact in facts.items())]
