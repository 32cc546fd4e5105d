"""The peer methods that faast is compared with: scikit-learn classifiers of frozen features.

`BASELINES` maps a short name to each class. All take ``fit(X, y)`` and give ``predict``,
``decision_function`` and ``stored_bytes_``; those with probabilities also ``predict_proba``;
those with a zero-shot prior take ``class_embeddings={label: vector}``.
"""

from faast.baselines.base import Baseline
from faast.baselines.gda import GDA
from faast.baselines.kernel_svm import KernelSVM
from faast.baselines.knn import NearestNeighbours
from faast.baselines.linear_attention import LinearAttention
from faast.baselines.linear_projection import LinearProjection
from faast.baselines.linear_sgd import LinearSGD
from faast.baselines.logistic import LogisticCV
from faast.baselines.nearest_mean import NearestClassMean
from faast.baselines.pseudo_inverse import PaperFaast
from faast.baselines.random_relu_ridge import RandomReLURidge
from faast.baselines.ridge_cv import RidgeCV
from faast.baselines.softmax_memory import SoftmaxMemory
from faast.baselines.tip_adapter import TipAdapter
from faast.baselines.zero_shot import ZeroShot

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
