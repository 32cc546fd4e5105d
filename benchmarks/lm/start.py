"""How the benchmarks of language models start: one thread, quiet loading, a story model or Gemma."""

from __future__ import annotations

import argparse

import transformers

from faast.evaluation.measure import one_thread


def start() -> None:
    """Limit all libraries to one thread, and keep transformers from writing about loading."""
    one_thread()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def start_with_gemma(description: str | None) -> bool:
    """Start, and tell whether ``--gemma`` was given."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--gemma", action="store_true", help="Gemma 3 270M, not the story model")
    arguments = parser.parse_args()
    start()
    return bool(arguments.gemma)
