"""Baselines: the methods that faast is compared with, as scikit-learn classifiers of features.

`BASELINES` maps a short name to each class. Every baseline has ``fit(X, y)``, ``predict``,
``decision_function`` and ``stored_bytes_``. Those with probabilities also have ``predict_proba``;
those that use a zero-shot prior take ``class_embeddings={label: vector}``.
"""

from faast.evaluation.baselines.base import Baseline
from faast.evaluation.baselines.gda import GDA
from faast.evaluation.baselines.kernel_svm import KernelSVM
from faast.evaluation.baselines.linear import LinearSGD, LogisticCV, RidgeCV
from faast.evaluation.baselines.linear_projection import LinearProjection
from faast.evaluation.baselines.memory_readers import (
    LinearAttention,
    NearestNeighbours,
    PaperFaast,
    SoftmaxMemory,
)
from faast.evaluation.baselines.prototypes import NearestClassMean, ZeroShot
from faast.evaluation.baselines.random_relu_ridge import RandomReLURidge
from faast.evaluation.baselines.tip_adapter import TipAdapter

__all__ = [
    "BASELINES",
    "GDA",
    "Baseline",
    "KernelSVM",
    "LinearAttention",
    "LinearProjection",
    "LinearSGD",
    "LogisticCV",
    "NearestClassMean",
    "NearestNeighbours",
    "PaperFaast",
    "RandomReLURidge",
    "RidgeCV",
    "SoftmaxMemory",
    "TipAdapter",
    "ZeroShot",
]

BASELINES: dict[str, type[Baseline]] = {
    "zero-shot": ZeroShot,
    "k-nn": NearestNeighbours,
    "softmax-memory": SoftmaxMemory,
    "linear-attention": LinearAttention,
    "paper-faast": PaperFaast,
    "nearest-mean": NearestClassMean,
    "tip-adapter": TipAdapter,
    "gda": GDA,
    "ridge-cv": RidgeCV,
    "random-relu-ridge": RandomReLURidge,
    "logistic": LogisticCV,
    "linear-projection": LinearProjection,
    "linear-sgd": LinearSGD,
    "kernel-svm": KernelSVM,
}
