"""Support vector machine with a Gaussian kernel.

Linear projection of the features, trained by backprop.

Linear classifier trained by stochastic gradient descent.

Logistic regression.

Ridge regression on random ReLU features.

Ridge regression onto the classes.
"""

import importlib
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from scipy.special import log_expit
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV, SGDClassifier
from sklearn.svm import SVC
from sklearn.utils import gen_batches

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.evaluation.baselines.base import (
    LOGIT_SCALE,
    Baseline,
    ClassEmbeddings,
    ProbabilisticBaseline,
    class_columns,
    class_means,
    embedding_rows,
    fit_best_c,
    in_batches,
    mean_log_likelihood,
    support_folds,
    unit,
)


class KernelSVM(Baseline):
    """SVC with a Gaussian kernel (gamma "scale"), C by held-out accuracy on the support.

    Where no class has two rows there is nothing to hold out, and C is 10. Scores are the
    one-against-rest form of the pairwise votes; there are no probabilities.

    Parameters
    ----------
    candidates : sequence of float
        Values of C to choose from.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    estimator_ : SVC
        The fitted classifier of class positions.
    """

    def __init__(
        self,
        candidates: Sequence[float] = (0.1, 1.0, 10.0, 100.0, 1000.0),
        random_state: int = 0,
    ) -> None:
        self.candidates = candidates
        self.random_state = random_state

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        self.estimator_ = fit_best_c(
            SVC(random_state=self.random_state),  # None would draw from the global state
            rows,
            codes,
            candidates=self.candidates,
            fallback=10.0,
            scoring="accuracy",
            seed=self.random_state,
        )

    def _scores(self, rows: FloatArray) -> FloatArray:
        return class_columns(self.estimator_.decision_function(rows))

    def _stored(self) -> Sequence[AnyArray]:
        model = self.estimator_
        return [model.support_vectors_, model.dual_coef_, model.intercept_]


Tensor: TypeAlias = Any
"""A torch.Tensor, or positions that index one; torch is not imported for its types."""


class LinearProjection(ProbabilisticBaseline):
    """scores = 100 unit(x + P x) T', with P trained by SGD on the cross-entropy.

    Momentum is 0.9 and the learning rate falls to a tenth at half the epochs. With `patience`
    an eighth of each class (at least one row) is held out, and the epoch most accurate on it
    is kept; where no class has two rows, all rows train and the last epoch is kept.

    P starts at zero, that is at the zero-shot classifier. Without class embeddings T holds the
    unit class means of the support, so that training starts at nearest class mean: from a
    plain linear layer the same schedule ends below it with few rows a class.

    Parameters
    ----------
    class_embeddings : mapping of label to array-like of shape (n_features,), optional
        Zero-shot prior.
    epochs : int
        Passes over the rows.
    learning_rate : float
        Step size of the first half.
    batch_size : int
        Rows a step.
    patience : int or None
        Epochs without a better held-out accuracy after which training stops. None holds
        nothing out and trains on all rows for all epochs: the protocol on full data.
    random_state : int
        Seed of the held-out rows and of the batches.

    References
    ----------
    FAAST, arXiv:2605.04651, the linear baseline of the image experiments.
    """

    def __init__(
        self,
        class_embeddings: ClassEmbeddings | None = None,
        epochs: int = 20,
        learning_rate: float = 0.001,
        batch_size: int = 16,
        patience: int | None = 5,
        random_state: int = 0,
    ) -> None:
        self.class_embeddings = class_embeddings
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.patience = patience
        self.random_state = random_state

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        if self.class_embeddings is None:
            self.embeddings_ = unit(class_means(unit(rows), codes))
        else:
            self.embeddings_ = embedding_rows(self.class_embeddings, self.classes_, rows.shape[1])
        self.projection_ = self._train(rows, codes)

    def _train(self, rows: FloatArray, codes: IntArray) -> FloatArray:
        torch = import_torch()
        inputs, embeddings = (
            torch.from_numpy(array.astype(np.float32)) for array in (rows, self.embeddings_)
        )
        targets = torch.from_numpy(codes)
        learn, held = self._split(codes)
        projection = torch.zeros(2 * (rows.shape[1],), requires_grad=True)
        optimiser = torch.optim.SGD([projection], lr=self.learning_rate, momentum=0.9)
        schedule = torch.optim.lr_scheduler.StepLR(optimiser, max(1, (self.epochs + 1) // 2), 0.1)
        generator = torch.Generator().manual_seed(self.random_state)

        def scores(positions: Tensor) -> Tensor:
            moved = inputs[positions] + inputs[positions] @ projection.T
            return LOGIT_SCALE * torch.nn.functional.normalize(moved, dim=1) @ embeddings.T

        def train_epoch() -> None:
            shuffled = torch.from_numpy(learn)[torch.randperm(len(learn), generator=generator)]
            for batch in shuffled.split(self.batch_size):
                loss = torch.nn.functional.cross_entropy(scores(batch), targets[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()

        kept, best_hits, best_epoch = projection, -1, 0
        for epoch in range(self.epochs):
            train_epoch()
            if not held.size:
                continue
            with torch.no_grad():
                hits = int((scores(held).argmax(dim=1) == targets[held]).sum())
            if hits > best_hits:
                kept, best_hits, best_epoch = projection.detach().clone(), hits, epoch
            if self.patience and epoch - best_epoch >= self.patience:
                break
        trained: FloatArray = kept.detach().numpy().astype(np.float64)
        return trained

    def _split(self, codes: IntArray) -> tuple[IntArray, IntArray]:
        """Choose rows to learn from and rows to hold out."""
        eighths = support_folds(codes, 8, self.random_state) if self.patience else iter(())
        return next(eighths, (np.arange(len(codes)), np.empty(0, dtype=codes.dtype)))

    def _scores(self, rows: FloatArray) -> FloatArray:
        return LOGIT_SCALE * unit(rows + rows @ self.projection_.T) @ self.embeddings_.T

    def _stored(self) -> Sequence[AnyArray]:
        return [self.projection_, self.embeddings_]


def import_torch() -> ModuleType:
    """Import torch where it is needed, so that the other baselines do without."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ImportError(
            'LinearProjection trains with torch; install it with: pip install "faast[bench]"'
        ) from error


class LinearSGD(ProbabilisticBaseline):
    """Logistic loss, one class against the rest, by averaged SGD on centred rows.

    Unit features share one large mean, which slows SGD down; dividing by each coordinate's
    deviation as well loses accuracy where there are few rows to estimate it, so it is left
    out. Averaging the iterates makes the result depend little on the learning rate.
    Probabilities are the classes' logistic outputs, made to sum to one.

    Parameters
    ----------
    penalty : float
        L2 penalty, also the time scale of the learning rate: SGDClassifier's ``alpha``.
    epochs : int
        Bound on the passes over the support; it stops earlier once the loss is level.
    random_state : int
        Seed of the order of rows.

    Attributes
    ----------
    estimator_ : SGDClassifier
        The fitted classifier of class positions.
    """

    def __init__(self, penalty: float = 1e-4, epochs: int = 1000, random_state: int = 0) -> None:
        self.penalty = penalty
        self.epochs = epochs
        self.random_state = random_state

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        self.mean_ = rows.mean(axis=0)
        self.estimator_ = SGDClassifier(
            loss="log_loss",
            alpha=self.penalty,
            max_iter=self.epochs,
            average=True,
            random_state=self.random_state,
        ).fit(rows - self.mean_, codes)

    def _scores(self, rows: FloatArray) -> FloatArray:
        margins = self.estimator_.decision_function(rows - self.mean_)
        if margins.ndim == 1:
            return class_columns(margins)
        log_outputs: FloatArray = log_expit(margins)
        return log_outputs

    def _stored(self) -> Sequence[AnyArray]:
        return [self.mean_, self.estimator_.coef_, self.estimator_.intercept_]


class LogisticCV(ProbabilisticBaseline):
    """Multinomial logistic regression (L-BFGS), C by held-out likelihood on the support.

    Where no class has two rows there is nothing to hold out, and C is 10.

    Parameters
    ----------
    candidates : sequence of float
        Values of C, the inverse of the L2 penalty, to choose from.
    max_iter : int
        Bound on the iterations of each fit.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    estimator_ : LogisticRegression
        The fitted classifier of class positions.
    """

    def __init__(
        self,
        candidates: Sequence[float] = (0.1, 1.0, 10.0, 100.0, 1000.0),
        max_iter: int = 1000,
        random_state: int = 0,
    ) -> None:
        self.candidates = candidates
        self.max_iter = max_iter
        self.random_state = random_state

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        self.estimator_ = fit_best_c(
            LogisticRegression(max_iter=self.max_iter),
            rows,
            codes,
            candidates=self.candidates,
            fallback=10.0,
            scoring=mean_log_likelihood,
            seed=self.random_state,
        )

    def _scores(self, rows: FloatArray) -> FloatArray:
        return class_columns(self.estimator_.decision_function(rows))

    def _stored(self) -> Sequence[AnyArray]:
        return [self.estimator_.coef_, self.estimator_.intercept_]


RIDGES = 10.0 ** np.arange(-8, 9)
"""The published grid of ridge strengths."""


class RandomReLURidge(Baseline):
    """RanPAC's head: one-hot labels regressed on relu(x R), R Gaussian and fixed.

    The ridge strength is the one of least squared error on a random 20% of the support after
    learning from the other 80%; all rows then learn with it. There are no probabilities.

    Parameters
    ----------
    n_random : int
        Number of random features M. The solve costs min(M, n_rows)**3 for each strength.
    random_state : int
        Seed of R and of the split.

    Attributes
    ----------
    ridge_ : float
        The chosen strength.

    References
    ----------
    McDonnell et al., RanPAC, NeurIPS 2023, arXiv:2307.02251, algorithm 1, and its repository
    RanPAC/RanPAC.
    """

    def __init__(self, n_random: int = 10_000, random_state: int = 0) -> None:
        self.n_random = n_random
        self.random_state = random_state

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        generator = np.random.default_rng(self.random_state)
        self.projection_ = generator.standard_normal((rows.shape[1], self.n_random))
        onehot = np.eye(len(self.classes_))[codes]
        learn, held = np.split(generator.permutation(len(rows)), [int(0.8 * len(rows))])
        asked = self._lift(rows[held])
        errors = [
            np.mean((asked @ weights - onehot[held]) ** 2)
            for weights in self._ridge_path(rows[learn], onehot[learn], RIDGES)
        ]
        self.ridge_ = float(RIDGES[np.argmin(errors)])
        (self.weights_,) = self._ridge_path(rows, onehot, [self.ridge_])

    def _lift(self, rows: FloatArray) -> FloatArray:
        lifted: FloatArray = np.maximum(rows @ self.projection_, 0)
        return lifted

    def _ridge_path(
        self, rows: FloatArray, targets: FloatArray, ridges: Iterable[float]
    ) -> Iterator[FloatArray]:
        """Solve for each strength: W = (H'H + λI)^-1 H'Y = H' (HH' + λI)^-1 Y.

        The smaller system is solved. Where rows are many, H'H is summed over blocks of them,
        as all of H would not fit in memory.
        """
        if len(rows) < self.n_random:
            features = self._lift(rows)
            gram = features @ features.T
            for ridge in ridges:
                yield features.T @ shifted_solve(gram, ridge, targets)
            return
        gram = np.zeros((self.n_random, self.n_random))
        right = np.zeros((self.n_random, targets.shape[1]))
        for block in gen_batches(len(rows), 4096):
            features = self._lift(rows[block])
            gram += features.T @ features
            right += features.T @ targets[block]
        for ridge in ridges:
            yield shifted_solve(gram, ridge, right)

    def _scores(self, rows: FloatArray) -> FloatArray:
        return in_batches(lambda part: self._lift(part) @ self.weights_, rows)

    def _stored(self) -> Sequence[AnyArray]:
        return [self.projection_, self.weights_]


def shifted_solve(gram: FloatArray, ridge: float, right: FloatArray) -> FloatArray:
    """Solve (gram + ridge I) X = right."""
    solution = np.linalg.solve(gram + ridge * np.eye(len(gram)), right)
    return np.asarray(solution, dtype=np.float64)


class RidgeCV(Baseline):
    """scikit-learn's RidgeClassifierCV: strength by closed-form leave-one-out.

    It regresses on labels of -1 and 1, which gives scores and no probabilities.

    Parameters
    ----------
    alphas : sequence of float
        Strengths to choose from.

    Attributes
    ----------
    estimator_ : RidgeClassifierCV
        The fitted classifier of class positions.

    References
    ----------
    Rifkin and Lippert, Notes on Regularized Least Squares, MIT-CSAIL-TR-2007-025.
    """

    def __init__(self, alphas: Sequence[float] = tuple(np.logspace(-6, 6, 13).tolist())) -> None:
        self.alphas = alphas

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        self.estimator_ = RidgeClassifierCV(alphas=self.alphas).fit(rows, codes)

    def _scores(self, rows: FloatArray) -> FloatArray:
        return class_columns(self.estimator_.decision_function(rows))

    def _stored(self) -> Sequence[AnyArray]:
        return [self.estimator_.coef_, self.estimator_.intercept_]
