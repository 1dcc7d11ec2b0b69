"""The extractors that pictures of each domain are seen through, got ready once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import torch

from ganvas.engine import Processes
from ganvas.evaluation.choosing import Options, extractors_for
from ganvas.evaluation.extractors import Extractor, squared
from ganvas.evaluation.files import digest_of
from ganvas.evaluation.own import MOST, Task, own_extractor
from ganvas.evaluation.real import RealPictures
from ganvas.pictures import to_unit


class DomainExtractors:
    """By domain and by what the metrics' table calls them: chosen and inception. One that has to be
    trained is trained by the first process, from the pictures that the method was trained on."""

    def __init__(
        self,
        keys: Sequence[str],
        options: Options,
        channels: Mapping[str, int],
        real: RealPictures,
        processes: Processes,
        say: Callable[[str], object],
    ) -> None:
        self.keys, self.options, self.channels = keys, options, dict(channels)
        self.real, self.processes, self.say = real, processes, say
        self.size = real.reader.config.width_height
        self.found: dict[str, dict[str, Extractor]] = {}

    def of(self, domain: str) -> dict[str, Extractor]:
        if domain not in self.found:
            # One that has to be trained is kept by the first, and found by the others.
            self.processes.first_does(lambda: self.make(domain))
            if not self.processes.first:
                self.make(domain)
            self.processes.refuse_unlike(
                {name: e.about.get("sha256") for name, e in self.found[domain].items()},
                "processes have learnt different extractors; put the folder that XDG_CACHE_HOME "
                "names where all machines see it",
            )
        return self.found[domain]

    def make(self, domain: str) -> None:
        chosen = [found["chosen"] for found in self.found.values() if "chosen" in found]
        shared = chosen[0] if chosen and self.alike else None
        self.found[domain] = extractors_for(
            self.keys,
            self.options,
            self.channels[domain],
            self.size,
            lambda: shared or self.own(domain),
        )

    @property
    def alike(self) -> bool:
        """Whether one extractor sees the pictures of all domains."""
        return len(set(self.channels.values())) == 1

    def own(self, domain: str) -> Extractor:
        """The extractor of the training pictures: of all domains where these have equal channels,
        which are then classes to tell apart."""
        domains = tuple(sorted(self.channels)) if self.alike else (domain,)
        training, reader = self.real.learnt_from.first(MOST), self.real.reader
        prints = reader.fingerprint(training, domains)
        scales = [reader.scales[d].described() for d in domains]
        names = sorted(set(training.labels))

        def task(side: int) -> Task:
            self.say("training an extractor on the data's own pictures, once; it is kept")
            pictures, labels = [], []
            for n, name in enumerate(domains):
                for place, (x,) in reader.rows(training, (name,)):
                    pictures.append(squared(to_unit(x)[None], side)[0])
                    labels.append(names.index(training.labels[place]) if names else n)
            classes = len(names) or len(domains)
            return Task(torch.stack(pictures), torch.tensor(labels), classes)

        key = digest_of(prints, asdict(reader.preparation), scales)
        return own_extractor(task, self.channels[domain], key, self.size)
