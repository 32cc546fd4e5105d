"""Natural: a softmax layer learned in one pass by natural gradient."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Natural:
    r"""Logistic regression in one pass over a stream: no backward graph, nothing to tune.

    Values are not fixed, but the gradient of the log-likelihood at what the model says now,
    v = e_y - p. With keys k = [x; 1] and after each block of rows

    A ← A + η (S/n + μI)⁻¹ [mean of v kᵀ - λ (S/n) A] (G/n + λI)⁻¹,

    G and S from `Fisher`: a natural gradient step (Amari 1998) with the Fisher matrix as the
    Kronecker product S ⊗ G (cf. Martens & Grosse 2015). λ is damping and Gaussian prior at once: at
    a fixed point Σ v kᵀ = λ S A, the ridge of this geometry, the bias free. A gradient over r of n
    rows moves r / n of the way, so that η = 1 is the recursive Bayes update.

    - Blocks propose and the next block disposes: one direction for each of five dampings; the rows
      of the next block, not yet learned, pick λ and η, 0 among them. The losses that they pick by
      are the online losses.
    - Blocks are a sixteenth of what was seen, and so are cut alike however long the stream will be.
    - The gradient is taken over a uniform sample of what was seen.
    - The answer is the polynomial-decay average of the iterates (weight about t⁷; Shamir & Zhang,
      ICML 2013). If it leaves the likelihood-ratio region of the sample's own optimum (Wilks 1938),
      the stream was not exchangeable, and the optimum is the answer.

    With class embeddings e_c the pass starts at scores s xᵀ(e_c - mean e), s chosen by the first
    block with 0 among the choices, and the prior pulls there.

    Moments do not determine the result, so rows cannot be forgotten, and two memories cannot be
    merged: these promises are those of the solvers that work from moments.

    Parameters
    ----------
    window : int
        Rows sampled for the gradient, held in float32.
    buffer : int
        The rows of a call are shuffled; across calls they pass through a shuffle of this many, as
        streams may be sorted by class. Much longer sorted streams lose some accuracy all the same.
    """

    window: int = 65536
    buffer: int = 8192

    def __post_init__(self) -> None:
        for name in ("window", "buffer"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name} must be at least 2 rows, got {getattr(self, name)}")
