"""The peer methods that faast is compared with: scikit-learn classifiers of frozen features.

`BASELINES` maps a short name to each class. All take ``fit(X, y)`` and give ``predict``,
``decision_function`` and ``stored_bytes_``; those with probabilities also ``predict_proba``;
those with a zero-shot prior take ``class_embeddings={label: vector}``.
"""

from faast.evaluation.baselines.base import Baseline
from faast.evaluation.baselines.gda import GDA
from faast.evaluation.baselines.linear import (
    KernelSVM,
    LinearProjection,
    LinearSGD,
    LogisticCV,
    RandomReLURidge,
    RidgeCV,
)
from faast.evaluation.baselines.memory_readers import (
    LinearAttention,
    NearestNeighbours,
    PaperFaast,
    SoftmaxMemory,
)
from faast.evaluation.baselines.prototypes import NearestClassMean, ZeroShot
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
