"""Areas under the ROC and the precision-recall curve, point by point. Ties between scores are one step."""

from __future__ import annotations

from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score, roc_auc_score

from .runs import check_both, check_scores


def roc_area(scores: ArrayLike, labels: ArrayLike) -> float:
    """P(score of an anomalous point > that of a normal one), ties counting half. Constant scores give 0.5.

    Raises ValueError as `check_scores` does, or where points of one kind are missing.
    """
    values, marks = check_scores(scores, labels)
    check_both(marks)
    return float(roc_auc_score(marks, values))


def pr_area(scores: ArrayLike, labels: ArrayLike) -> float:
    """Average precision, Σ (recall_k - recall_(k-1)) precision_k; constant scores give the share of anomalous
    points.

    No interpolation between steps (Davis and Goadrich, 2006). Raises ValueError as `roc_area` does.
    """
    values, marks = check_scores(scores, labels)
    check_both(marks)
    return float(average_precision_score(marks, values))
