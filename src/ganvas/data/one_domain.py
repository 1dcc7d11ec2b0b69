"""Pictures of one set, with the classes that their folders name where there are such."""

from collections.abc import Mapping

from ganvas.config import Settings
from ganvas.data.layouts import (
    Layout,
    beside_folders,
    found_in,
    in_turn,
    one_domain,
    side_by_side,
)
from ganvas.data.sampler import Draw, plain_draw
from ganvas.data.sources import Entry
from ganvas.data.training_set import Reading, TrainingSet
from ganvas.errors import InputError


class OneDomain(TrainingSet):
    """Sample k is `{"pictures": ...}` by the epoch's order, and `labels`, a scalar, where the
    pictures lie in class folders."""

    domains = ("pictures",)
    layouts = ("labelled", "unlabelled", "paired")

    def __init__(self, config: Settings, layout: Layout, reading: Reading | None = None) -> None:
        self.by_class = one_domain(layout, config.data)
        self.classes = tuple(self.by_class) if len(self.by_class) > 1 else ()
        super().__init__(config, layout, reading)
        class_of = {e.name: name for name, entries in self.by_class.items() for e in entries}
        found = [class_of[seen.entry.name] for seen in self.parts["pictures"].seen]
        self.empty = [name for name in self.classes if name not in found]
        # A class that no picture shows would be learnt from nothing.
        self.classes = tuple(name for name in self.classes if name in found)
        self.labels = [self.classes.index(name) for name in found] if self.classes else []

    def pictures_of(self, domain: str) -> list[Entry]:
        """Where --max-pictures limits them, as many of each class as of any other."""
        kept = in_turn(self.by_class, self.config.max_pictures)
        return [entry for entries in kept.values() for entry in entries]

    @property
    def notes(self) -> list[str]:
        found = []
        if self.empty:
            found.append(
                f"classes without a picture to train on, left out: {', '.join(self.empty)}"
            )
        if self.layout.kind == "unlabelled" and (loose := beside_folders(self.layout)):
            found.append(
                f"{loose[0].name} lies beside folders, so that these are not taken for classes; "
                "move it into one of them, or away"
            )
        if self.layout.kind == "paired" and all(
            side_by_side(seen.size) for seen in self.parts["pictures"].seen
        ):
            found.append(
                "all pictures are twice as wide as high, as pairs side by side are; here each is "
                "one picture"
            )
        return found + super().notes

    @property
    def epoch_size(self) -> int:
        return len(self.parts["pictures"].seen)

    def draws(self, k: int) -> dict[str, Draw]:
        c = self.config
        draw = plain_draw(c.seed, k, self.epoch_size, serial=c.serial_batches, flip=c.flip)
        return {"pictures": draw}

    def labels_of(self, draws: Mapping[str, Draw]) -> dict[str, int]:
        return {"labels": self.labels[draws["pictures"].index]} if self.classes else {}


class ManyDomains(OneDomain):
    """Pictures of many domains: of each a folder, whose name is a class."""

    layouts = ("labelled",)

    def __init__(self, config: Settings, layout: Layout, reading: Reading | None = None) -> None:
        if layout.kind == "unpaired" or len(one_domain(layout, config.data)) < 2:
            raise InputError(
                f"--data {config.data}: looks {layout.kind} ({found_in(layout)} pictures), but "
                "this method wants a folder for each domain, two at least, by the domain's name, "
                "such as day/ and night/, and no picture beside them"
            )
        super().__init__(config, layout, reading)
