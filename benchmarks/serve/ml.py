"""A logistic regression of text features behind MLServer."""

from __future__ import annotations

import joblib
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Texts(MLModel):  # type: ignore[misc]
    """Encode texts and answer the probability of every class."""

    async def load(self) -> bool:
        """Load the encoder and the model."""
        self.encoder, self.model = joblib.load(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a request."""
        texts = StringCodec.decode_input(payload.inputs[0])
        shares = self.model.predict_proba(self.encoder.encode(texts))
        labels = self.model.classes_[shares.argmax(axis=1)].tolist()
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                StringCodec.encode_output("label", labels),
                NumpyCodec.encode_output("probability", shares),
            ],
        )
