"""Training data: batches that are a pure function of seed and counter, whatever their layout."""

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganvas.config import Settings
from ganvas.data.again import read_again
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

Item = TypeVar("Item")
Sample = dict[str, Tensor]
Reading = Callable[[int], Callable[[], object]]
"""Told how many pictures are about to be read, it gives what is to be called after each."""


class TrainingSet(Dataset[Sample]):
    """Sample k is a picture of each domain, (C, h, w), cropped and flipped: uint8 where that holds
    it whole, else float32 in [-1, 1].

    A subclass says which pictures a domain has (`pictures_of`), which of them are shown in
    previews, how long an epoch is, and what is drawn for sample k.
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

    @property
    def kept(self) -> int:
        """How many pictures are kept in memory."""
        return sum(s.pixels is not None for part in self.parts.values() for s in part.seen)

    def draws(self, k: int) -> dict[str, Draw]:
        """What chance decided for sample k, of each domain."""
        raise NotImplementedError  # pragma: no cover

    def labels_of(self, draws: Mapping[str, Draw]) -> dict[str, int]:
        """Numbers that belong to a sample, beside its pictures."""
        return {}

    def __getitem__(self, k: int) -> Sample:
        return {name: x[0] for name, x in self.__getitems__([k]).items()}

    def __getitems__(self, numbers: Sequence[int]) -> Sample:
        """These samples as one batch (N, C, h, w), each cut straight into its place."""
        drawn = [self.draws(k) for k in numbers]
        batch = {domain: self.gathered(domain, [d[domain] for d in drawn]) for domain in drawn[0]}
        labels = [self.labels_of(draws) for draws in drawn]
        return batch | {name: torch.tensor([x[name] for x in labels]) for name in labels[0]}

    def gathered(self, domain: str, draws: Sequence[Draw]) -> Tensor:
        """(N, C, h, w) of the drawn pictures, cropped and flipped."""
        part, batch = self.parts[domain], torch.empty(0)
        for i, draw in enumerate(draws):
            cut = self.cut(part, draw)
            if i == 0:
                batch = torch.empty(len(draws), part.channels, *cut.shape[1:], dtype=cut.dtype)
            # expands grey to the channels of its domain
            batch[i].copy_(cut.flip(2) if draw.flip else cut)
        return batch

    def cut(self, part: Part, draw: Draw) -> Tensor:
        """The drawn picture, cropped: where it is kept, a view of it."""
        seen = part.seen[draw.index]
        if seen.pixels is not None:
            _, h, w = seen.pixels.shape
            rows, columns = self.window(draw, (w, h))
            return seen.pixels[:, rows, columns]
        values = self.preparation.training(read_again(seen), part.channels)
        # Of bytes only the crop is made a tensor; deep values are scaled as a whole, as kept ones.
        if not part.scale.is_bytes or values.dtype != np.uint8:
            pixels = part.tensor(values)
            rows, columns = self.window(draw, (pixels.shape[2], pixels.shape[1]))
            return pixels[:, rows, columns]
        rows, columns = self.window(draw, (values.shape[1], values.shape[0]))
        return torch.from_numpy(values[rows, columns].transpose(2, 0, 1).copy())

    def window(self, draw: Draw, size: tuple[int, int]) -> tuple[slice, slice]:
        """The rows and columns of the drawn crop, of a picture of that (width, height)."""
        if not self.preparation.crops:
            return slice(None), slice(None)
        (width, height), (w, h) = self.preparation.size, size
        top, left = int(draw.top * (h - height + 1)), int(draw.left * (w - width + 1))
        return slice(top, top + height), slice(left, left + width)

    def batches(
        self, start: int, part: tuple[int, int] = (0, 1), pinned: bool = False
    ) -> Iterator[Sample]:
        """Batches (N, C, h, w) from sample `start` on, without end; of each, that part of so many
        equal ones. `pinned` is for a GPU: a batch lies ready, in memory that it copies from, while
        it computes on the one before."""
        numbers = EndlessBatches(self.config.batch_size_at, start, part)
        workers = self.config.workers
        if workers is None:
            workers = 0 if self.in_memory else min(4, os.cpu_count() or 1)
        if workers == 0 and pinned:
            return one_ahead(map(pinning(), map(self.__getitems__, numbers)))
        if workers == 0:
            return map(self.__getitems__, numbers)
        return self.batches_of_workers(numbers, workers, pinned)

    def batches_of_workers(
        self, numbers: EndlessBatches, workers: int, pinned: bool
    ) -> Iterator[Sample]:
        """The same, read ahead by so many processes."""
        loader: DataLoader[Sample] = DataLoader(
            self,
            batch_sampler=numbers,  # pyright: ignore[reportArgumentType]
            num_workers=workers,
            pin_memory=pinned,
            collate_fn=as_it_is,  # pyright: ignore[reportArgumentType]
            # Its own generator: the global one belongs to the method.
            generator=torch.Generator(),
            worker_init_fn=leave_signals_to_the_trainer,
            multiprocessing_context="fork" if hasattr(os, "fork") else None,
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


def leave_signals_to_the_trainer(worker: int) -> None:
    """Ctrl-C reaches all processes; the trainer still needs its workers to end the step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def one_ahead(items: Iterator[Item]) -> Generator[Item]:
    """The same items, each made by another thread while its user works on the one before."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items)
        while True:
            item = coming.result()
            coming = thread.submit(next, items)
            yield item


def pinning() -> Callable[[Sample], Sample]:
    """What puts a batch into memory that the GPU in use copies from; any thread may call it."""
    device = torch.cuda.current_device()

    def pinned(batch: Sample) -> Sample:
        with torch.cuda.device(device):
            return {name: x.pin_memory() for name, x in batch.items()}

    return pinned


def as_it_is(batch: Sample) -> Sample:
    return batch
