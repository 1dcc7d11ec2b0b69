"""A trained method, judged by real pictures."""

import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from ganvas.config import Settings
from ganvas.data.held_out import open_splits
from ganvas.engine import ALONE, Engine, Processes
from ganvas.errors import InputError
from ganvas.evaluation.choosing import OF_SETS, Choice, Options, choose, lpips_of
from ganvas.evaluation.domain_extractors import DomainExtractors
from ganvas.evaluation.files import cache_folder, digest_of, keep, kept
from ganvas.evaluation.gallery import Gallery, Look, quantised
from ganvas.evaluation.metrics import METRICS, Measured, Metric, mean, name_on, on_few
from ganvas.evaluation.palette import read_palette
from ganvas.evaluation.paths import SEEDS_APART, lengths_of
from ganvas.evaluation.real import RealPictures
from ganvas.evaluation.results import Result
from ganvas.evaluation.segmentation.learning import SegmentationSettings, network_for
from ganvas.evaluation.segmentation.pairs import open_label_pairs
from ganvas.evaluation.segmentation.scores import SegmentationScorer
from ganvas.methods.base import Direction, Method
from ganvas.methods.generator import Generator
from ganvas.methods.translator import Translator
from ganvas.networks.untrained import kept_kernels

AT_ONCE, PIXELS = 64, 2**21
"""Pictures, and pixels of them, that are computed together."""
PATHS = 500
"""Pairs of latents for a path length."""
Say = Callable[[str], object]


def evaluate(
    method: Method,
    *,
    data: str | None = None,
    options: Options | None = None,
    about: Mapping[str, Any] | None = None,
    say: Say = lambda text: None,
    processes: Processes = ALONE,
) -> list[Result]:
    """Judge a method by the pictures of its run's data, or of `data`.

    `about` goes into each result's provenance: which snapshot it is. `say` is told what is left
    out and what takes long. Of several `processes` each makes its share, and all learn the results.

    Raises:
        InputError: the pictures or the options do not allow it.
    """
    judge = Judge(method, data, options or Options(), say, processes)
    return judge(method, about or {})


class Judge:
    """Real pictures, extractors and metrics, got ready once; each call judges a method as it is
    then, which during a training takes little more than making its pictures.

    Several processes make and look at pictures batch by batch in turn, with the weights that each
    of them has, and the first computes from what all have found."""

    def __init__(
        self,
        method: Method,
        data: str | None,
        options: Options,
        say: Say = lambda text: None,
        processes: Processes = ALONE,
    ) -> None:
        config = method.config if data is None else with_data(method.config, data)
        self.options, self.processes = options, processes
        self.say: Say = say if processes.first else lambda text: None
        splits = open_splits(config, method.data, options.paired)
        split = splits.get(options.split).first(options.count)
        self.choice: Choice = choose(method, options, split.paired)
        for text in self.choice.said:
            self.say(text)
        self.config, self.scales, self.channels = config, method.scales, dict(method.channels)
        self.device = next(method.parameters()).device
        self.engine = Engine(self.device, "fp32", processes)
        width, height = config.width_height
        self.at_once = max(1, min(AT_ONCE, PIXELS // (width * height)))
        self.real = RealPictures(config, self.scales, splits, split, self.device, self.at_once)
        if processes.count > 1:
            processes.refuse_unlike(
                self.real.fingerprint(tuple(sorted(split.entries))),
                f"--data {config.data}: processes see different pictures to judge by there; give "
                "all machines the same",
            )
        self.conditional = bool(isinstance(method, Generator) and method.conditional)
        self.domains_in = method.data
        if self.named_domains:
            self.refuse_other_domains(method)
        self.lpips = lpips_of(self.choice.keys)
        self.scorer: SegmentationScorer | None = None
        self.extractors = DomainExtractors(
            self.choice.keys, options, self.channels, self.real, processes, self.say
        )
        self.galleries: dict[tuple[str, str | None], Gallery] = {}

    def __call__(self, method: Method, about: Mapping[str, Any] | None = None) -> list[Result]:
        """Judge the method as it is now: results in the metrics' order, one direction after the
        other."""
        began, training = time.perf_counter(), method.training
        look = method.look if isinstance(method, Generator) else None
        method.eval()
        try:
            with torch.no_grad():
                if isinstance(method, Generator):
                    if self.options.truncation is not None:
                        method.use(self.options.truncation)
                    results = self.in_order(self.of_noise(method))
                else:
                    assert isinstance(method, Translator)
                    with kept_kernels(method):
                        ways = [
                            self.in_order(self.of_translation(method, way))
                            for way in self.choice.directions
                        ]
                    results = list(chain.from_iterable(ways))
        finally:
            method.train(training)
            if isinstance(method, Generator) and look is not None:
                method.look = look
        common = {"date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **(about or {})}
        common |= {"seconds": round(time.perf_counter() - began, 3)}
        return [replace(r, provenance=common | r.provenance) for r in results]

    def in_order(self, results: list[Result]) -> list[Result]:
        """As the metrics were asked for."""
        return sorted(results, key=lambda result: self.choice.keys.index(result.key))

    def refuse_other_domains(self, method: Method) -> None:
        """Refuse pictures to judge by that lie in other folders than the domains that were learnt.

        Raises:
            InputError: they do.
        """
        missing = [name for name in method.classes if name not in self.real.labels]
        if missing:
            raise InputError(
                f"--data {self.config.data}: there are no pictures of {', '.join(missing)} to "
                f"judge by; {method.name} wants a folder for each domain, and a --count that is "
                "enough for all"
            )

    # Pictures from noise

    def of_noise(self, method: Generator) -> list[Result]:
        fake, real, notes = None, None, []
        paths = self.choice.needs("paths")
        if paths:
            _ = self.extractors.of("pictures")
        if self.choice.needs(*OF_SETS):
            fake, real = self.gallery("pictures"), self.real_gallery("pictures")
            known = bool(self.real.labels)
            looks = (partial(self.look_at, fake, *made) for made in self.made(method, notes))
            for look, labels in self.processes.shared_out(looks):
                fake.take(look, labels if known else None)

        def results() -> list[Result]:
            found = [self.path_result(method, key) for key in paths]
            if real is not None and fake is not None:
                found += self.set_results(method, real, fake, "pictures", None, notes)
            return found

        return self.processes.first_does(results)

    def look_at(
        self, fake: Gallery, make: Callable[[], Tensor], labels: Tensor | None
    ) -> tuple[Look, Tensor | None]:
        told = quantised(make(), self.scales["pictures"])
        return fake.look(told), None if labels is None else labels.cpu()

    def made(
        self, method: Generator, notes: list[str]
    ) -> Iterator[tuple[Callable[[], Tensor], Tensor | None]]:
        """What makes a batch of pictures, and their classes, as often as the real ones have
        them."""
        first = self.options.seed * SEEDS_APART
        seeds = range(first, first + self.options.count)
        labels = method.labels(seeds)
        known = set(self.real.labels)
        if labels is not None and known and known <= set(method.classes):
            named = [method.classes.index(name) for name in self.real.labels]
            labels = torch.tensor([named[i % len(named)] for i in range(len(seeds))])
            labels = labels.to(self.device)
        elif labels is not None:
            notes.append("classes in turn, for the real pictures' folders do not name them all")
        for start in range(0, len(seeds), self.at_once):
            few = slice(start, start + self.at_once)
            y = None if labels is None else labels[few]
            yield partial(self.rendered, method, seeds[few], y), y

    def rendered(self, method: Generator, seeds: range, y: Tensor | None) -> Tensor:
        return method.render(method.latents(seeds), y, self.at_once)

    def path_result(self, method: Generator, key: str) -> Result:
        metric, size = METRICS[key], min(self.options.count, PATHS)
        notes = []
        if metric.by == "lpips":
            assert self.lpips is not None
            distance, name = self.lpips, metric.title
            if self.lpips.name != "LPIPS":
                name, notes = f"{metric.title}-{self.lpips.name}", []
            about = self.lpips.about
        else:
            extractor = self.extractors.of("pictures")["chosen"]
            name, about = name_on(metric, extractor.name), dict(extractor.about)

            def distance(x: Tensor, y: Tensor) -> Tensor:
                a, b = extractor(x).features, extractor(y).features
                return (a.double() - b.double()).square().sum(1)

        where = key.rpartition("-")[2]
        lengths = lengths_of(method, where, distance, size, self.options.seed, self.at_once)
        found = metric.compute(lengths)
        origin = self.provenance(method, None, 0, size)
        origin |= {"extractor": about, "quantisation": "none", "truncation": None}
        return result(key, metric, name, found, None, notes, origin)

    # Pictures from pictures

    def of_translation(self, method: Translator, way: Direction) -> list[Result]:
        X, Y = method.ends(way)
        fake = self.gallery(Y) if self.choice.needs(*OF_SETS) else None
        target = way if self.named_domains else None
        real = None if fake is None else self.real_gallery(Y, target)
        each: dict[str, list[Tensor]] = {
            key: [] for key in self.choice.needs("pairs", "cycle", "identity")
        }
        seen, domains = 0, (X, Y) if self.real.split.paired else (X,)
        looks = (
            partial(self.translated, method, way, back, fake, row)
            for back, of in self.origins(method, way)
            for _, row in self.real.batches(domains, of)
        )
        for count, look, apart in self.processes.shared_out(looks):
            seen += count
            if fake is not None and look is not None:
                fake.take(look)
            for key, found in apart.items():
                each[key].append(found)
        if self.choice.needs("identity"):
            looks = (
                partial(self.unchanged, method, way, y)
                for _, (y,) in self.real.batches((Y,), target)
            )
            for apart in self.processes.shared_out(looks):
                for key, found in apart.items():
                    each[key].append(found)

        def results() -> list[Result]:
            found = list(self.pair_results(method, way, each, seen))
            if fake is not None and real is not None:
                found += self.set_results(method, real, fake, Y, way, [])
            if self.choice.needs("classes"):
                try:
                    found += self.class_results(method, way)
                except InputError as error:
                    if not self.options.skip_unfit:
                        raise
                    self.say(f"{', '.join(self.choice.needs('classes'))}: left out: {error}")
            return found

        return self.processes.first_does(results)

    def translated(
        self,
        method: Translator,
        way: Direction,
        back: Direction,
        fake: Gallery | None,
        row: tuple[Tensor, ...],
    ) -> tuple[int, Look | None, dict[str, Tensor]]:
        """Of a batch of real pictures, and where these are there of the true answers: how many, a
        look at their translations, and by metric how far these are from what they should be."""
        x = row[0]
        y_ = method.translate_tensor(x, way)
        told = quantised(y_, self.scales[method.ends(way)[1]])
        look = None if fake is None else fake.look(told)
        apart = {key: self.apart(key, told, row[1]) for key in self.choice.needs("pairs")}
        if keys := self.choice.needs("cycle"):
            x_ = method.translate_tensor(y_, back)
            apart |= {key: self.apart(key, x_, x) for key in keys}
        return len(x), look, apart

    def unchanged(self, method: Translator, way: Direction, y: Tensor) -> dict[str, Tensor]:
        """By metric, how far the translator changes what is there already."""
        y_ = method.translate_tensor(y, way)
        return {key: self.apart(key, y_, y) for key in self.choice.needs("identity")}

    def pair_results(
        self, method: Translator, way: Direction, each: Mapping[str, list[Tensor]], seen: int
    ) -> Iterator[Result]:
        origin = self.provenance(method, way, seen, seen)
        for key, parts in each.items():
            found, metric = mean(torch.cat(parts)), METRICS[key]
            name, more = metric.title, {}
            if metric.by == "lpips":
                assert self.lpips is not None
                name, more = self.lpips.name, {"extractor": self.lpips.about}
            yield result(key, metric, name, found, way, on_few(seen, seen), origin | more)

    @property
    def named_domains(self) -> bool:
        """Whether all domains lie in one set, told apart by the folders' names."""
        return self.domains_in == "domains"

    def origins(self, method: Translator, way: Direction) -> list[tuple[Direction, str | None]]:
        """The direction back from `way`, and the domain that pictures are taken from, where a set
        holds many: each of the others."""
        if self.named_domains:
            return [(other, other) for other in method.ways if other != way]
        return [("BtoA" if way == "AtoB" else "AtoB", None)]

    def class_results(self, method: Translator, way: Direction) -> Iterator[Result]:
        """How far translations show the classes of label maps: see docs/segmentation.md."""
        if self.scorer is None:
            palette = read_palette(self.options.palette) if self.options.palette else None
            pairs = open_label_pairs(self.config.data, self.config, self.scales, palette)
            network = None
            if pairs.to_photo in self.choice.directions:
                self.say("training a segmentation network on the data's own pairs, once")
                with torch.enable_grad(), torch.random.fork_rng():
                    network = network_for(pairs, SegmentationSettings(), device=self.device)
            self.scorer = SegmentationScorer(pairs, network)
        found = self.scorer.scores(method, way)
        about = found["provenance"]
        origin = self.provenance(method, way, about["pictures"], about["pictures"])
        network = about["network"]
        extractor = {"recipe": about["judge"], "palette": about["palette"]}
        extractor |= {"sha256": network["hash"]} if network else {}
        origin |= {"split": about["part"], "extractor": extractor, "task": about["task"]}
        origin |= {"data": {"source": about["data"], "fingerprint": about["fingerprint"]}}
        for key in self.choice.needs("classes"):
            metric = METRICS[key]
            name = f"{metric.title}-segmentation@{network['hash'][:8]}" if network else metric.title
            yield result(key, metric, name, metric.compute(found), way, [], origin)

    def apart(self, key: str, x: Tensor, y: Tensor) -> Tensor:
        """The metric of each pair of pictures in [-1, 1]: (N,)."""
        if METRICS[key].by == "lpips":
            assert self.lpips is not None
            return self.lpips(x, y).cpu()
        return METRICS[key].compute((x.double() + 1) / 2, (y.double() + 1) / 2).cpu()

    # Sets of pictures

    def set_results(
        self,
        method: Method,
        real: Gallery,
        fake: Gallery,
        domain: str,
        way: Direction | None,
        notes: Sequence[str],
    ) -> Iterator[Result]:
        origin = self.provenance(method, way, real.count, fake.count)
        common = [*notes, *on_few(real.count, fake.count)]
        if self.real.split.name == "train":
            why = "" if len(self.real.splits.all) > 1 else ", for there are no others"
            common.append(f"judged by pictures that it was trained on{why}")
        for key in self.choice.needs(*OF_SETS):
            metric = METRICS[key]
            extractor = self.extractors.of(domain).get(metric.by)
            try:
                found = metric.compute(real, fake, metric.by)
            except ValueError as error:
                reason = f"{error}, and there are {real.count} real and {fake.count} generated ones"
                if self.options.metrics is not None:
                    raise InputError(f"--metrics {key}: {reason}") from None
                self.say(f"{key}: left out, for {reason}")
                continue
            told = {} if extractor is None else {"extractor": dict(extractor.about)}
            name = metric.title if extractor is None else name_on(metric, extractor.name)
            yield result(key, metric, name, found, way, common, origin | told)

    def gallery(self, domain: str) -> Gallery:
        return Gallery(
            self.extractors.of(domain),
            bool(self.choice.needs("patches")),
            bool(self.choice.needs("few")),
        )

    def real_gallery(self, domain: str, of: str | None = None) -> Gallery:
        """What is kept of the real pictures of a domain, or of those `of` one class, seen once."""
        if (domain, of) in self.galleries:
            return self.galleries[domain, of]
        gallery, places = self.gallery(domain), {}
        for name, extractor in gallery.extractors.items():
            if extractor.slow:
                key = digest_of(
                    extractor.about["sha256"],
                    self.real.fingerprint((domain,)),
                    asdict(self.real.reader.preparation),
                    self.scales[domain].described(),
                    *([] if of is None else [of]),
                )
                places[name] = cache_folder() / "features" / f"{key[:32]}.safetensors"
                if self.processes.first and (known := kept(places[name])):
                    gallery.know(name, known["features"])
        # What the first has found kept, nobody has to look for.
        gallery.known = self.processes.first_does(lambda: gallery.known)
        if not gallery.complete:
            conditional = self.conditional and bool(self.real.labels)
            names = sorted(set(self.real.labels))

            def look(rows: list[int], x: Tensor) -> tuple[Look, Tensor | None]:
                labels = None
                if conditional:
                    labels = torch.tensor([names.index(self.real.labels[i]) for i in rows])
                return gallery.look(x), labels

            looks = (partial(look, rows, x) for rows, (x,) in self.real.batches((domain,), of))
            for found in self.processes.shared_out(looks):
                gallery.take(*found)
            for name, place in places.items():
                if self.processes.first and name not in gallery.known:
                    keep(place, {"features": gallery.features(name)})
        self.galleries[domain, of] = gallery
        return gallery

    # Where a number comes from

    def provenance(
        self, method: Method, way: Direction | None, real: int, fake: int
    ) -> dict[str, Any]:
        """All that a number depends on, but for its extractor."""
        domains = ("pictures",)
        if way is not None and isinstance(method, Translator):
            domains = tuple(dict.fromkeys(method.ends(way)))
        scale = self.scales[domains[-1]]
        truncation = None
        if isinstance(method, Generator):
            truncation = 1.0 if method.look.truncation is None else method.look.truncation
        return {
            "weights": "average" if method.averages else "as trained",
            "split": self.real.split.name,
            "real": real,
            "fake": fake,
            "extractor": None,
            "preparation": self.real.reader.rule,
            "quantisation": "none" if scale.dtype.startswith("float") else scale.dtype,
            "mirror": False,
            "truncation": truncation,
            "seed": self.options.seed,
            "data": {"source": self.config.data, "fingerprint": self.real.fingerprint(domains)},
            "skipped": list(self.real.reader.skipped),
            "versions": {
                "ganvas": version("ganvas"),
                "torch": str(torch.__version__),
                "python": platform.python_version(),
            },
            "device": self.engine.description,
        }


def result(
    key: str,
    metric: Metric,
    name: str,
    found: Measured,
    way: Direction | None,
    notes: Sequence[str],
    origin: dict[str, Any],
) -> Result:
    told = [*found.notes, *notes]
    if not math.isfinite(found.value):
        raise InputError(f"--metrics {key}: is not finite; look at the pictures first")
    error = found.error if found.error is not None and math.isfinite(found.error) else None
    return Result(key, name, found.value, metric.better, error, way, found.details, told, origin)


def with_data(config: Settings, data: str) -> Settings:
    """The settings with other pictures."""
    return replace(config, data=data, hold_out=0, max_pictures=None)
