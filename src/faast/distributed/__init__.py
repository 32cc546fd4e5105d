"""Learning and predicting on Ray, where rows outgrow one machine."""

from faast.distributed.learning import learn_dataset as learn_dataset
