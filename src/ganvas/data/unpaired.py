"""Two domains whose pictures have nothing to do with each other: trainA/, trainB/, or the halves
of pairs."""

from ganvas.config import Settings
from ganvas.data.layouts import Layout, require_domains, side_by_side, taken_apart
from ganvas.data.sampler import Draw, unpaired_draws
from ganvas.data.sources import Entry
from ganvas.data.training_set import Reading, TrainingSet
from ganvas.errors import InputError


class Unpaired(TrainingSet):
    """Sample k is `{"A": ..., "B": ...}`: A by the epoch's order, B at random, also where they are
    halves of pairs."""

    domains = ("A", "B")
    layouts = ("unpaired",)

    def __init__(self, config: Settings, layout: Layout, reading: Reading | None = None) -> None:
        try:
            super().__init__(config, taken_apart(layout), reading)
        except InputError as error:
            if layout.kind != "paired":
                raise
            raise InputError(
                f"{error}. Two domains are the folders trainA/ and trainB/, or the halves of "
                "pictures that show both side by side, in train/"
            ) from None
        self.apart = layout.kind == "paired"
        seen = self.parts["A"].seen
        if self.apart and not all(side_by_side((2 * s.size[0], s.size[1])) for s in seen):
            # No pairs at all, but pictures of one domain.
            require_domains(layout, self.domains, config.data)

    def pictures_of(self, domain: str) -> list[Entry]:
        require_domains(self.layout, self.domains, self.config.data)
        return self.layout.part(self.name_of(domain))

    def name_of(self, domain: str) -> str:
        return f"train{domain}"

    def shown_of(self, domain: str) -> list[Entry]:
        return self.layout.part(f"test{domain}") or super().shown_of(domain)

    @property
    def notes(self) -> list[str]:
        told = "pairs side by side: A and B are their halves, drawn independently of each other"
        return [told] * self.apart + super().notes

    @property
    def sizes(self) -> tuple[int, int]:
        a, b = (len(self.parts[domain].seen) for domain in self.domains)
        return a, b

    @property
    def epoch_size(self) -> int:
        return max(self.sizes)

    def draws(self, k: int) -> dict[str, Draw]:
        c = self.config
        draws = unpaired_draws(c.seed, k, self.sizes, serial=c.serial_batches, flip=c.flip)
        return dict(zip(self.domains, draws, strict=True))
