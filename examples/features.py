"""Learn rows of numbers in batches, add a class, forget rows, and keep only sure answers.

Run ``python examples/features.py``; it needs the light core alone.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from faast import FaastClassifier


def main() -> None:
    """Learn handwritten digits; the digit 9 arrives last."""
    X, X_test, y, y_test = train_test_split(
        *load_digits(return_X_y=True), train_size=700, random_state=0
    )
    late = y == 9

    model = FaastClassifier()
    for rows in np.array_split(np.flatnonzero(~late), 5):
        model.partial_fit(X[rows], y[rows])
    print(f"0 to 8 learned:       accuracy {model.score(X_test, y_test):.3f}")

    model.partial_fit(X[late], y[late])
    print(f"9 learned:            accuracy {model.score(X_test, y_test):.3f}")

    before = model.predict_proba(X_test)
    wrong = (y[:300] + 1) % 10
    model.partial_fit(X[:300], wrong)
    print(f"300 wrong labels:     accuracy {model.score(X_test, y_test):.3f}")
    model.forget(X[:300], wrong)
    print(f"the same forgotten:   {np.array_equal(model.predict_proba(X_test), before)}")

    sure = model.predict_or_abstain(X_test, precision=0.99)
    answered = ~sure.mask
    accuracy = np.mean(sure[answered] == y_test[answered])
    print(f"sure of {answered.mean():.0%} of rows: accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
