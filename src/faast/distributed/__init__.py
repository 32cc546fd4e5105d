"""Learning and predicting on Ray, where rows outgrow one machine."""

from faast.distributed.learning import learn_dataset as learn_dataset
from faast.distributed.prediction import predict_dataset as predict_dataset
