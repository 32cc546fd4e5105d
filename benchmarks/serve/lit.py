"""A logistic regression of text features behind LitServe; `python -m benchmarks.serve.lit MODEL PORT`."""

from __future__ import annotations

import sys
from typing import Any

import joblib
import litserve


class Texts(litserve.LitAPI):  # type: ignore[misc]
    """Encode texts and answer the probability of every class."""

    def setup(self, device: str) -> None:
        """Load the encoder and the model."""
        self.encoder, self.model = joblib.load(sys.argv[1])

    def predict(self, request: Any) -> Any:
        """Answer a request."""
        shares = self.model.predict_proba(self.encoder.encode(request["texts"]))
        labels = self.model.classes_[shares.argmax(axis=1)]
        return {"labels": labels.tolist(), "probabilities": shares.tolist()}


if __name__ == "__main__":
    litserve.LitServer(Texts(), accelerator="cpu").run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False
    )
