"""Training data: batches that are a pure function of seed and counter, whatever their layout."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganvas.config import Settings
from ganvas.data.bad import BadPicture
from ganvas.data.decode import decode_entry
from ganvas.data.layouts import Layout
from ganvas.data.parts import Part, Wanted, read_parts
from ganvas.data.prepare import Preparation
from ganvas.data.sampler import Draw, EndlessBatches
from ganvas.data.sources import Entry
from ganvas.data.survey import Row, unequal
from ganvas.errors import InputError
from ganvas.pictures import Picture
from ganvas.scales import Scale

Sample = dict[str, Tensor]
Reading = Callable[[int], Callable[[], object]]
"""Told how many pictures are about to be read, it gives what is to be called after each."""


class TrainingSet(Dataset[Sample]):
    """Sample k is a picture of each domain, (C, h, w), cropped and flipped: uint8 where that holds
    it whole, else float32 in [-1, 1].

    A subclass says which pictures a domain has (`pictures_of`), which of them are shown in
    previews, how long an epoch is, and what sample k is.
    """

    domains: ClassVar[tuple[str, ...]]
    layouts: ClassVar[tuple[str, ...]]
    """The layouts that are meant for it."""
    pairs: ClassVar[bool] = False
    """Whether pictures at the same place of all domains belong together."""
    classes: tuple[str, ...] = ()
    """Names of the classes where pictures have labels."""

    def __init__(self, config: Settings, layout: Layout, reading: Reading | None = None) -> None:
        self.config, self.layout = config, layout
        self.preparation = Preparation.of(config, config.stride)
        groups = [self.domains] if self.pairs else [(domain,) for domain in self.domains]
        chosen = {g: rows_of(map(self.pictures_of, g))[: config.max_pictures] for g in groups}
        count = sum(len(group) * len(rows) for group, rows in chosen.items())
        on_picture = reading(count) if reading else None
        self.parts: dict[str, Part] = {}
        for group, rows in chosen.items():
            parts = read_parts(
                [self.name_of(domain) for domain in group],
                rows,
                self.preparation,
                wanted=[
                    Wanted(config.channels_of(domain), config.range_of(domain)) for domain in group
                ],
                max_bad=config.max_bad,
                cache=config.cache,
                on_picture=on_picture,
            )
            self.parts |= zip(group, parts, strict=True)
        if config.batch_size > 1 and not self.preparation.crops:
            self.check_alike()
        self.fixed: Sample = {}
        for group in groups:
            self.fixed |= self.fixed_of(group)

    def pictures_of(self, domain: str) -> list[Entry]:
        """The pictures to train on."""
        raise NotImplementedError  # pragma: no cover

    def name_of(self, domain: str) -> str:
        """What these pictures are called in messages and in the record."""
        return domain

    def shown_of(self, domain: str) -> list[Entry]:
        """The pictures that previews may show: those held out, where there are such."""
        return [seen.entry for seen in self.parts[domain].seen]

    @property
    def epoch_size(self) -> int:
        raise NotImplementedError  # pragma: no cover

    def __getitem__(self, k: int) -> Sample:
        raise NotImplementedError  # pragma: no cover

    def whole_sizes(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Names and sizes of all pictures that the network sees whole: none where it sees crops."""
        if not self.preparation.crops:
            for part in self.parts.values():
                for seen in part.seen:
                    yield seen.entry.name, self.preparation.resized(seen.size)

    def check_alike(self) -> None:
        """Refuse batches of pictures that differ in size."""
        for domain, part in self.parts.items():
            sizes = sorted({self.preparation.resized(seen.size) for seen in part.seen})
            if len(sizes) > 1:
                (w, h), (w2, h2) = sizes[0], sizes[-1]
                raise InputError(
                    f"--batch-size {self.config.batch_size}: pictures of "
                    f"{self.name_of(domain)} come out of --preprocess {self.config.preprocess} "
                    f"between {w}x{h} and {w2}x{h2} and do not go into one batch; take "
                    "--batch-size 1, or a --preprocess that crops"
                )

    @property
    def channels(self) -> dict[str, int]:
        return {domain: part.channels for domain, part in self.parts.items()}

    @property
    def scales(self) -> dict[str, Scale]:
        return {domain: part.scale for domain, part in self.parts.items()}

    @property
    def fingerprints(self) -> dict[str, str]:
        return {self.name_of(domain): part.fingerprint for domain, part in self.parts.items()}

    @property
    def notes(self) -> list[str]:
        return [note for part in self.parts.values() for note in part.notes]

    @property
    def in_memory(self) -> bool:
        return all(part.in_memory for part in self.parts.values())

    def cut(self, domain: str, draw: Draw) -> Tensor:
        """The drawn picture, cropped and flipped."""
        part = self.parts[domain]
        seen = part.seen[draw.index]
        if seen.pixels is None:
            picture = read_again(seen.entry)
            pixels = part.tensor(self.preparation.training(picture, part.channels))
        else:
            pixels = seen.pixels
        if self.preparation.crops:
            (width, height), (_, h, w) = self.preparation.size, pixels.shape
            top, left = int(draw.top * (h - height + 1)), int(draw.left * (w - width + 1))
            pixels = pixels[:, top : top + height, left : left + width]
        pixels = pixels.expand(part.channels, -1, -1)
        return pixels.flip(2) if draw.flip else pixels

    def batches(self, start: int, part: tuple[int, int] = (0, 1)) -> Iterator[Sample]:
        """Batches (N, C, h, w) from sample `start` on, without end; of each, that part of so many
        equal ones."""
        workers = self.config.workers
        if workers is None:
            workers = 0 if self.in_memory else min(4, os.cpu_count() or 1)
        loader: DataLoader[Sample] = DataLoader(
            self,
            batch_sampler=EndlessBatches(self.config.batch_size_at, start, part),  # pyright: ignore
            num_workers=workers,
            collate_fn=stack,
            # Its own generator: the global one belongs to the method.
            generator=torch.Generator(),
            worker_init_fn=leave_signals_to_the_trainer,
            multiprocessing_context="fork" if workers and hasattr(os, "fork") else None,
        )
        batches = iter(loader)
        try:
            yield from batches
        except InputError as error:
            # A worker's error comes with its traceback in the text; the sentence stands last.
            sentence = str(error).strip().splitlines()[-1]
            raise InputError(sentence.removeprefix("ganvas.errors.InputError: ")) from None
        finally:
            # Now, and not when the last reference goes: the workers heed no signal, and a process
            # that ended before them would wait for them for ever.
            if workers:
                batches._shutdown_workers()  # pyright: ignore[reportAttributeAccessIssue]

    def fixed_of(self, domains: tuple[str, ...]) -> Sample:
        """The same few pictures every time, for previews: of the test part where there is one."""
        rows = rows_of(map(self.shown_of, domains))
        count = min(self.config.previews, len(rows))
        spread = [i * len(rows) // count for i in range(count)]
        found: list[list[Tensor]] = []
        bad = 0
        # Where one cannot be read, and may be skipped, others take its place.
        for index in [*spread, *(i for i in range(len(rows)) if i not in spread)]:
            if len(found) == count:
                break
            try:
                images = decode_row(rows[index])
                tensors = list(map(self.fixed_tensor, domains, images, rows[index]))
            except BadPicture:
                if (bad := bad + 1) > self.config.max_bad:
                    raise
                continue
            found.append(tensors)
        if not found:
            raise InputError(f"{rows[0][0].name}: none of the pictures beside it can be used")
        return dict(zip(domains, map(common_corner, zip(*found, strict=True)), strict=True))

    def fixed_tensor(self, domain: str, picture: Picture, entry: Entry) -> Tensor:
        """A picture to preview, as the training would see it.

        Raises:
            BadPicture: its channels or values are of another kind.
        """
        part = self.parts[domain]
        try:
            return part.tensor(self.preparation.fixed(picture, part.channels))
        except InputError as error:
            raise BadPicture(f"{entry.name}: {error}") from None


def rows_of(columns: Iterable[Sequence[Entry]]) -> list[Row]:
    """The first picture of each, the second of each, and so on: all have as many."""
    return list(zip(*columns, strict=True))


def decode_row(row: Row) -> list[Picture]:
    """Pictures that are used together.

    Raises:
        BadPicture: one cannot be used, or they differ in size.
    """
    images = [decode_entry(entry, entry.read()) for entry in row]
    if problem := unequal([(e.name, i.size) for e, i in zip(row, images, strict=True)]):
        raise BadPicture(problem)
    return images


def common_corner(pictures: Sequence[Tensor]) -> Tensor:
    """(N, C, h, w) of what all have: without a crop pictures may differ in size."""
    height = min(p.shape[1] for p in pictures)
    width = min(p.shape[2] for p in pictures)
    return torch.stack([p[:, :height, :width] for p in pictures])


def read_again(entry: Entry) -> Picture:
    """A picture that could be read before the training began.

    Raises:
        InputError: it has gone or changed since.
    """
    try:
        return decode_entry(entry, entry.read())
    except (OSError, RuntimeError, KeyError, InputError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{entry.name}: can no longer be read ({reason}); put it back") from None


def leave_signals_to_the_trainer(worker: int) -> None:
    """Ctrl-C reaches all processes; the trainer still needs its workers to end the step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def stack(samples: list[Sample]) -> Sample:
    return {domain: torch.stack([s[domain] for s in samples]) for domain in samples[0]}
