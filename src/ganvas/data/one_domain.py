"""Pictures of one domain, with the classes that their folders name where there are such."""

from itertools import chain, islice, zip_longest

import torch

from ganvas.config import Settings
from ganvas.data.layouts import Layout, one_domain
from ganvas.data.sampler import plain_draw
from ganvas.data.sources import Entry
from ganvas.data.training_set import Reading, Sample, TrainingSet


class OneDomain(TrainingSet):
    """Sample k is `{"pictures": ...}` by the epoch's order, and `labels`, a scalar, where the
    pictures lie in class folders."""

    domains = ("pictures",)
    layouts = ("labelled", "unlabelled", "paired")

    def __init__(self, config: Settings, layout: Layout, reading: Reading | None = None) -> None:
        self.by_class = one_domain(layout, config.data)
        self.classes = tuple(self.by_class) if len(self.by_class) > 1 else ()
        super().__init__(config, layout, reading)
        numbers = {e.name: n for n, entries in enumerate(self.by_class.values()) for e in entries}
        self.labels = [numbers[seen.entry.name] for seen in self.parts["pictures"].seen]

    def pictures_of(self, domain: str) -> list[Entry]:
        """Where --max-pictures limits them, as many of each class as of any other."""
        in_turn = filter(None, chain.from_iterable(zip_longest(*self.by_class.values())))
        kept = {entry.name for entry in islice(in_turn, self.config.max_pictures)}
        return [e for entries in self.by_class.values() for e in entries if e.name in kept]

    @property
    def epoch_size(self) -> int:
        return len(self.parts["pictures"].seen)

    def __getitem__(self, k: int) -> Sample:
        c = self.config
        draw = plain_draw(c.seed, k, self.epoch_size, serial=c.serial_batches, flip=c.flip)
        sample = {"pictures": self.cut("pictures", draw)}
        if self.classes:
            sample["labels"] = torch.tensor(self.labels[draw.index])
        return sample
