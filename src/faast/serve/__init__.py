"""Teach and ask over HTTP: tasks in a folder, each a model file with a log. Needs `serve`."""

from faast._utils.imports import import_optional

import_optional("fastapi", "serve")

from faast.serve.app import create_app as create_app  # noqa: E402

__all__ = ["create_app"]
