"""Which class was taken for which, and the three scores made of it: per-pixel accuracy, per-class
accuracy, class IoU (Long et al. 2015, "Fully Convolutional Networks for Semantic Segmentation",
section 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganvas.evaluation.palette import VOID

MEASURES = ("pixel_accuracy", "class_accuracy", "class_iou")


@dataclass
class Confusion:
    """`counts[t, p]`: pixels of class t that were taken for p; the last column are those that were
    taken for void. Pixels whose truth is void count nowhere."""

    counts: np.ndarray

    @classmethod
    def empty(cls, classes: int) -> "Confusion":
        return cls(np.zeros((classes, classes + 1), np.int64))

    @property
    def classes(self) -> int:
        return len(self.counts)

    def add(self, truth: np.ndarray, predicted: np.ndarray) -> None:
        """Count a picture: classes, or VOID, of equal shape.

        Raises:
            ValueError: the shapes differ, or a class is not there.
        """
        if truth.shape != predicted.shape:
            raise ValueError(f"truth {truth.shape} and prediction {predicted.shape} differ in size")
        n, scored = self.classes, truth != VOID
        t, p = truth[scored].astype(np.int64), predicted[scored].astype(np.int64)
        if not (np.isin(t, range(n)).all() and np.isin(p, [*range(n), VOID]).all()):
            raise ValueError(f"there are {n} classes, from 0 on, and VOID")
        p[p == VOID] = n
        self.counts += np.bincount(t * (n + 1) + p, minlength=n * (n + 1)).reshape(n, n + 1)

    @property
    def present(self) -> np.ndarray:
        """bool (K,): classes that the truth has. Means are taken over these alone; what is wrongly
        taken for an absent class counts against the class that it is."""
        return self.counts.sum(1) > 0

    @property
    def pixel_accuracy(self) -> float:
        """The part of all pixels that is right; nan without pixels."""
        total = self.counts.sum()
        return float(self.right.sum() / total) if total else float("nan")

    @property
    def class_accuracy(self) -> float:
        """Mean over present classes of the part of each that is right."""
        return mean(self.accuracies[self.present])

    @property
    def class_iou(self) -> float:
        """Mean over present classes of intersection over union."""
        return mean(self.ious[self.present])

    @property
    def right(self) -> np.ndarray:
        return np.diagonal(self.counts)

    @property
    def accuracies(self) -> np.ndarray:
        """(K,): right over all that is this class; 0 where absent."""
        return self.right / np.maximum(self.counts.sum(1), 1)

    @property
    def ious(self) -> np.ndarray:
        """(K,): right over all that is or was taken for this class; 0 where absent."""
        union = self.counts.sum(1) + self.counts[:, :-1].sum(0) - self.right
        return self.right / np.maximum(union, 1)

    def means(self) -> dict[str, float]:
        """The three scores by the papers' names."""
        return {name: getattr(self, name) for name in MEASURES}

    def per_class(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Of each class its accuracy, IoU and true pixels; None where the truth has none."""
        rows = zip(names, self.accuracies, self.ious, self.counts.sum(1), strict=True)
        return {
            name: {
                "accuracy": float(accuracy) if pixels else None,
                "iou": float(iou) if pixels else None,
                "pixels": int(pixels),
            }
            for name, accuracy, iou, pixels in rows
        }


def mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def confusion_of(pairs: Sequence[tuple[np.ndarray, np.ndarray]], classes: int) -> Confusion:
    """Of (truth, prediction), each (H, W)."""
    found = Confusion.empty(classes)
    for truth, predicted in pairs:
        found.add(truth, predicted)
    return found


def told(scores: Mapping[str, float]) -> str:
    """`0.812 / 0.604 / 0.511`, in the papers' order."""
    return " / ".join(f"{scores[name]:.3f}" for name in MEASURES)
