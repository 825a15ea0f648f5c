"""What a text model must beat: the most frequent label, and linear models on TF-IDF of words and characters."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.svm import LinearSVC

from app.training.text_figures import Told

_SEED = 20_260_104


def prior(labels: Sequence[str], rows: int) -> Told:
    """The share of each of ``labels``, told of so many ``rows``."""
    names, counts = np.unique(labels, return_counts=True)
    told = np.tile(counts / counts.sum(), (rows, 1))
    return Told(names.tolist(), told, told)


def linear_svm(learned: Sequence[str], labels: Sequence[str], texts: Sequence[str]) -> Told:
    """Margins of a linear support vector machine for ``texts``."""
    fitted = make_pipeline(_features(), LinearSVC(C=1.0, random_state=_SEED)).fit(learned, labels)
    return Told(fitted.classes_.tolist(), fitted.decision_function(texts))


def logistic(learned: Sequence[str], labels: Sequence[str], texts: Sequence[str]) -> Told:
    """Probabilities of a logistic regression, fitted by stochastic gradient, for ``texts``."""
    regression = SGDClassifier(loss="log_loss", alpha=1e-5, random_state=_SEED)
    fitted = make_pipeline(_features(), regression).fit(learned, labels)
    told = fitted.predict_proba(texts)
    return Told(fitted.classes_.tolist(), told, told)


def _features() -> FeatureUnion:
    return make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32),
        TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, min_df=2, dtype=np.float32),
    )
