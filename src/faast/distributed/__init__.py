"""Learning and predicting on Ray, where rows outgrow one machine."""

from faast.distributed.learn import learn_dataset as learn_dataset
from faast.distributed.predict import predict_dataset as predict_dataset
