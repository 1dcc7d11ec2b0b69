"""Two domains whose pictures have nothing to do with each other: trainA/, trainB/."""

from ganvas.data.layouts import require_domains
from ganvas.data.sampler import unpaired_draws
from ganvas.data.sources import Entry
from ganvas.data.training_set import Sample, TrainingSet


class Unpaired(TrainingSet):
    """Sample k is `{"A": ..., "B": ...}`: A by the epoch's order, B at random."""

    domains = ("A", "B")
    layouts = ("unpaired",)

    def pictures_of(self, domain: str) -> list[Entry]:
        require_domains(self.layout, self.domains, self.config.data)
        return self.layout.part(self.name_of(domain))

    def name_of(self, domain: str) -> str:
        return f"train{domain}"

    def shown_of(self, domain: str) -> list[Entry]:
        return self.layout.part(f"test{domain}") or super().shown_of(domain)

    @property
    def sizes(self) -> tuple[int, int]:
        a, b = (len(self.parts[domain].seen) for domain in self.domains)
        return a, b

    @property
    def epoch_size(self) -> int:
        return max(self.sizes)

    def __getitem__(self, k: int) -> Sample:
        c = self.config
        draws = unpaired_draws(c.seed, k, self.sizes, serial=c.serial_batches, flip=c.flip)
        return {
            domain: self.cut(domain, draw) for domain, draw in zip(self.domains, draws, strict=True)
        }
