"""The score of a translator: per-pixel accuracy, per-class accuracy and class IoU."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ganvas.errors import InputError
from ganvas.evaluation.confusion import Confusion, confusion_of, told
from ganvas.evaluation.palette import Palette
from ganvas.evaluation.palette_finding import Domain
from ganvas.evaluation.segmentation.learning import (
    SHOWN,
    SegmentationSettings,
    TrainedNetwork,
    network_for,
    plain,
)
from ganvas.evaluation.segmentation.pairs import (
    LabelPairs,
    TestPair,
    fingerprint_of,
    open_label_pairs,
)
from ganvas.methods.base import Direction
from ganvas.methods.translator import Translator
from ganvas.networks.untrained import kept_kernels
from ganvas.pictures import counted, to_unit
from ganvas.scales import Scale

Watch = Callable[[str, float], object]
"""Told what is being done, and which part of it is done, 0 to 1."""
FEW = 30
HARDLY = 0.05
"""A network that sees a photo's own classes in it by no more than this better than another photo's
has learnt nothing of photos."""


class SegmentationScorer:
    """Scores translators of one set. Made once, it scores as many as there are.

    Args:
        pairs: real pairs, of which those held out are translated.
        network: says which classes a photo shows; without it only photo -> labels is scored.
    """

    def __init__(
        self,
        pairs: LabelPairs,
        network: TrainedNetwork | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.pairs, self.network, self.watch = pairs, network, watch
        self.palette = pairs.palette
        check_labels(pairs)
        self.tests: list[TestPair] = []
        for index, pair in enumerate(pairs.test):
            self.say("reading test pairs", index / len(pairs.test))
            self.tests.append(pairs.read_test(pair))
        self.fingerprint = fingerprint_of(pairs.test)
        self.bounds: dict[Direction, dict[str, Any]] = {}
        if network is not None:
            check_network(network, pairs)

    def scores(self, method: Translator, direction: Direction) -> dict[str, Any]:
        """The translator's scores in that direction, as `segmentation_scores` gives them."""
        source = self.labels_or_photos(direction, given=True)
        device = next(method.parameters()).device
        answers: list[Tensor] = []
        with kept_kernels(method):
            for index, given in enumerate(source):
                self.say("translating", index / len(source))
                x = to_unit(given)[None].to(device)
                answers.append(method.translate_tensor(x, direction)[0])
        return self.scores_of(answers, direction)

    def scores_of(self, answers: Sequence[Tensor], direction: Direction) -> dict[str, Any]:
        """The same of given answers, one for each test pair: floats (C, h, w) in [-1, 1] or uint8.

        Raises:
            InputError: there is no network, and photos are to be judged.
        """
        found = self.confusion(answers, direction)
        bounds = self.bounds_of(direction)
        names = self.palette.names
        return {
            **found.means(),
            "per_class": found.per_class(names),
            **bounds,
            "provenance": self.provenance(direction, found),
            "notes": self.notes(direction, bounds),
        }

    def confusion(self, answers: Sequence[Tensor], direction: Direction) -> Confusion:
        """Which class was taken for which in pictures that answer the test pairs, in order."""
        predicted = []
        for index, answer in enumerate(answers):
            self.say("judging", index / len(answers))
            predicted.append(self.predicted(answer, direction))
        truths = [test.truth for test in self.tests]
        rows = list(zip(truths, predicted, strict=True))
        return confusion_of(rows, len(self.palette.colours))

    def predicted(self, answer: Tensor, direction: Direction) -> np.ndarray:
        """The classes, uint8 (h, w), of one translation, judged as the file that it would be."""
        scale = self.pairs.scales[direction[-1]]
        if direction != self.pairs.to_photo:
            return self.palette.classes(values_of(answer, scale))
        if self.network is None:
            raise InputError("labels -> photo: is scored by a segmentation network; give one")
        network = self.network.network
        seen = scale.unit(values_of(answer, scale))[None]
        return network.classes(seen.to(next(network.parameters()).device))[0].cpu().numpy()

    def labels_or_photos(self, direction: Direction, given: bool) -> list[Tensor]:
        """The test pairs' pictures that are given to be translated so, or the true answers."""
        if direction not in ("AtoB", "BtoA"):
            raise InputError(f"--direction {direction}: must be AtoB or BtoA")
        labels = (direction == self.pairs.to_photo) == given
        return [test.label if labels else test.photo for test in self.tests]

    def bounds_of(self, direction: Direction) -> dict[str, Any]:
        """What the true answers score, and what those of another test pair do."""
        if direction not in self.bounds:
            real = self.labels_or_photos(direction, given=False)
            predicted = [self.predicted(picture, direction) for picture in real]
            truths = [test.truth for test in self.tests]
            others = [*predicted[1:], predicted[0]]
            alike = [
                pair for pair in zip(truths, others, strict=True) if pair[0].shape == pair[1].shape
            ]
            classes = len(self.palette.colours)
            own = confusion_of(list(zip(truths, predicted, strict=True)), classes)
            chance = confusion_of(alike, classes) if len(alike) == len(truths) > 1 else None
            self.bounds[direction] = {
                "upper_bound": own.means(),
                "chance": chance.means() if chance else None,
            }
        return self.bounds[direction]

    def provenance(self, direction: Direction, found: Confusion) -> dict[str, Any]:
        """Where the numbers are from: plain values."""
        to_photo = direction == self.pairs.to_photo
        judge = "nearest class colour"
        if to_photo and self.network is not None:
            judge = self.network.told
        absent = [n for n, here in zip(self.palette.names, found.present, strict=True) if not here]
        sizes = sorted({f"{t.truth.shape[1]}x{t.truth.shape[0]}" for t in self.tests})
        return {
            "task": "labels -> photo" if to_photo else "photo -> labels",
            "direction": direction,
            "data": self.pairs.source,
            "part": self.pairs.part,
            "pictures": len(self.tests),
            "fingerprint": self.fingerprint,
            "compared_at": sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes",
            "judge": judge,
            "network": self.network.described if to_photo and self.network else None,
            "palette": self.palette.described(),
            "absent_classes": absent,
        }

    def notes(self, direction: Direction, bounds: dict[str, Any]) -> list[str]:
        """What a reader of the scores should know."""
        notes = list(self.pairs.notes)
        if len(self.tests) < FEW:
            notes.append(f"{len(self.tests)} test pairs are few: the scores are rough")
        upper, chance = bounds["upper_bound"], bounds["chance"]
        if direction == self.pairs.to_photo and self.network is not None:
            trained_on = self.network.described["preparation"]
            if trained_on != plain(asdict(self.pairs.preparation)):
                notes.append(
                    "the segmentation network was trained on pictures of another size or "
                    f"preparation ({trained_on['size'][0]}x{trained_on['size'][1]}, "
                    f"{trained_on['preprocess']})"
                )
        if direction == self.pairs.to_photo and chance is not None:
            gain = upper["pixel_accuracy"] - chance["pixel_accuracy"]
            if gain < HARDLY:
                notes.append(
                    f"the segmentation network sees classes in real photos ({told(upper)}) hardly "
                    f"better than in photos of something else ({told(chance)}), so that its scores "
                    "say nothing: train it longer, and check that the training pairs are pairs"
                )
        return notes

    def say(self, what: str, part: float) -> None:
        if self.watch is not None:
            self.watch(what, part)


def check_network(network: TrainedNetwork, pairs: LabelPairs) -> None:
    """Refuse a network that knows other classes, or photos of other channels."""
    wanted = (plain(pairs.palette.described()["colours"]), pairs.scales[pairs.photos].channels)
    d = network.described
    has = (d["palette"]["colours"], d["scale"]["channels"])
    if wanted != has:
        raise InputError(
            f"segmentation network @{network.hash[:SHOWN]}: knows {len(has[0])} classes in photos "
            f"of {counted(has[1])}, but here are {len(wanted[0])} in {counted(wanted[1])}, or of "
            "other colours; train one for these pairs"
        )


def check_labels(pairs: LabelPairs) -> None:
    """Refuse translators whose label maps have no colours of the palette to show."""
    scale = pairs.scales[pairs.labels]
    coloured = any(len(set(colour)) > 1 for colour in pairs.palette.colours)
    if not scale.is_bytes or scale.channels not in (1, 3) or (scale.channels == 1 and coloured):
        raise InputError(
            f"this run takes {pairs.labels}, the label maps, as {scale.dtype} with "
            f"{counted(scale.channels)}, and not as colours of 8 bits: their classes cannot be "
            "told from its pictures"
        )


def values_of(picture: Tensor, scale: Scale) -> np.ndarray:
    """(h, w, C) as a file would hold them, of floats in [-1, 1] or of uint8."""
    if picture.is_floating_point():
        return scale.values(picture)
    return picture.permute(1, 2, 0).numpy()


def segmentation_scores(
    method: Translator,
    data: str,
    direction: Direction,
    palette: Palette | None = None,
    network: TrainedNetwork | SegmentationSettings | None = None,
    *,
    labels: Domain | None = None,
    cache: Path | None = None,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """How well the classes of label maps are seen in a translator's pictures: the papers' FCN-score
    (Isola et al. 2017, section 4.1; Zhu et al. 2017, section 5.1.1), with a network of our own.

    labels -> photo: the held-out label maps are translated, a segmentation network that was trained
    on the real training pairs says which classes the photos show, and these are compared with the
    label maps'. photo -> labels: each pixel of the translated photo has the class of its nearest
    colour. Both at the size at which the run sees pictures, prepared as its previews are; answers
    are rounded to what a file would hold.

    Args:
        method: as `ganvas.load` gives it.
        data: a source with pairs, one side of which are label maps, some held out (test or val).
        palette: as `read_palette` gives it; left out, it is found in the label maps.
        network: one that has been trained, or how to train it; only labels -> photo needs it.
        labels: A or B, the domain of the label maps; left out, it follows from the colours.
        cache: where networks are kept; left out, in the user's cache.
        watch: told what is being done, and which part of it is done.

    Returns:
        `pixel_accuracy`, `class_accuracy`, `class_iou`, each 0 to 1, means over the classes that
        the test part has; `per_class`, by name `accuracy`, `iou` (None where the test part has no
        such pixel) and `pixels`; `upper_bound`, the three of the real answers, and `chance`, of the
        real answers to other pictures (None where sizes differ); `provenance` and `notes`, plain
        values.

    Raises:
        InputError: there are no such pairs, no palette, or the translator has no such direction.
    """
    pairs = open_label_pairs(data, method.config, method.scales, palette, labels)
    if direction == pairs.to_photo and not isinstance(network, TrainedNetwork):
        network = network_for(
            pairs,
            network or SegmentationSettings(),
            device=next(method.parameters()).device,
            cache=cache,
            on_progress=(lambda part: watch("training the segmentation network", part))
            if watch
            else None,
        )
    trained = network if isinstance(network, TrainedNetwork) else None
    return SegmentationScorer(pairs, trained, watch).scores(method, direction)
