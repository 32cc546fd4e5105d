"""Models as commands use them: made for rows, loaded from a file, solved and saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from faast import FaastClassifier, FaastRegressor, load
from faast._utils.progress import spinner
from faast.cli._options import Encoding, Reading
from faast.core.locking import exclusive
from faast.data import guess_modality, open_reader
from faast.data.reader import Modality
from faast.encoders import Encoder, load_encoder
from faast.estimators import CLASSIFIERS, REGRESSORS

FaastModel = FaastClassifier | FaastRegressor
"""What most commands take: a model that predicts labels, or numbers."""

CACHE_SUFFIX = ".features"
"""Added to the name of a model file: the folder with the features of its learned rows."""


def new_classifier(
    data: str,
    encoding: Encoding,
    reading: Reading,
    class_names: bool | None = None,
    novelty: bool = False,
) -> FaastClassifier:
    """Make a classifier for the rows of a file, with the named encoder or the usual one.

    Parameters
    ----------
    data : str
        What the user named; standard input is taken to hold texts.
    encoding : Encoding
    reading : Reading
    class_names : bool, optional
        Whether the names of classes are evidence; by default the encoder decides.
    novelty : bool
        Whether the classifier shall score the novelty of rows.

    Raises
    ------
    ValueError
        If there is no such encoder, or an option contradicts the rows.
    """
    modality, encoder = _choose_encoder(data, encoding, reading)
    if modality == "features" and class_names:
        raise ValueError(
            "--class-names needs an encoder that reads names; leave it out for tables of numbers"
        )
    return CLASSIFIERS[modality](encoder=encoder, class_names=class_names, novelty=novelty)


def new_regressor(
    data: str, encoding: Encoding, reading: Reading, targets: Sequence[str]
) -> FaastRegressor:
    """Make a regressor for the rows of a file; see `new_classifier`.

    Parameters
    ----------
    data, encoding, reading
        See `new_classifier`.
    targets : sequence of str
        Columns of the numbers to predict.
    """
    modality, encoder = _choose_encoder(data, encoding, reading, targets)
    return REGRESSORS[modality](encoder=encoder)


def load_model(path: Path) -> FaastModel:
    """Load a classifier or a regressor; it uses the folder of features beside its file, if any.

    Raises
    ------
    ValueError
        If the file holds something other than a model that can learn and forget.
    """
    loaded = load(path)
    if not isinstance(loaded, FaastModel):
        kinds = [*CLASSIFIERS.values(), *REGRESSORS.values()]
        raise ValueError(
            f"{path} holds a {type(loaded).__name__}; this command takes "
            f"{', '.join(kind.__name__ for kind in kinds)}"
        )
    if cache_folder(path).is_dir():
        loaded.cache = cache_folder(path)
    return loaded


def load_classifier(path: Path) -> FaastClassifier:
    """Load a classifier; see `load_model`."""
    loaded = load_model(path)
    if not isinstance(loaded, FaastClassifier):
        raise ValueError(f"{path} predicts numbers; this command takes models that predict labels")
    return loaded


@contextmanager
def hold_model(path: Path) -> Iterator[None]:
    """Let no other command change a model file meanwhile; wait for one that does."""

    def tell() -> None:
        typer.echo(f"waiting for another process that is changing {path}", err=True)

    with exclusive(path, tell):
        yield


def cache_folder(path: Path) -> Path:
    """Return the folder that keeps the features of learned rows beside a model file."""
    return path.with_name(path.name + CACHE_SUFFIX)


def open_encoder(model: FaastModel) -> None:
    """Load the encoder now, with a progress display, and not when the first row arrives."""
    if model.encoder_name is not None:
        with spinner(f"Loading {model.encoder_name}"):
            _ = model.encoder_


def solve_and_save(model: FaastModel, path: Path) -> None:
    """Solve the weights, so that the file can predict at once, and write the file."""
    with spinner("Solving"):
        _ = model.weights_
        if isinstance(model, FaastRegressor):
            _ = model.measures_errors
        model.save(path)


def count_rows(model: FaastModel) -> float:
    """Return how many rows were learned, as an integer where it is one.

    It is the sum of their weights, so it may be a fraction for models that were not made here.
    """
    n_rows = model.n_rows_
    return int(n_rows) if n_rows == int(n_rows) else n_rows


def count_answers(model: FaastModel) -> dict[str, int]:
    """Return how many classes, or targets, a model knows, as a fact to report."""
    if isinstance(model, FaastRegressor):
        return {"targets": model.n_targets_}
    return {"classes": len(model.classes_)}


def _choose_encoder(
    data: str, encoding: Encoding, reading: Reading, targets: Sequence[str] = ()
) -> tuple[Modality, Encoder | None]:
    """Return what rows are, and the encoder if one is named."""
    if encoding.encoder is not None:
        with spinner(f"Loading {encoding.encoder}"):
            options = {} if encoding.revision is None else {"revision": encoding.revision}
            encoder = load_encoder(encoding.encoder, **options)
        return encoder.modality, encoder
    if encoding.revision is not None:
        raise ValueError("--revision belongs to an encoder's checkpoint; name it with --encoder")
    if data == "-":
        return "text", None
    reader = open_reader(data, format=reading.format, split=reading.split)
    columns = reading.text_column, reading.label_column, [*targets, *reading.marks]
    return guess_modality(reader, *columns), None
