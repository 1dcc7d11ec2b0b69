"""Pictures from files to files through a translator, several at a time: while some are computed,
others are decoded, encoded and written.

On the CPU small pictures are computed beside one another, each by one thread: threads that share a
small picture wait for the slowest of them at every layer. Larger ones go one after the other with
all threads, and on other devices pictures of one size go as a batch.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from threading import Event
from typing import Any, Literal, Self

import numpy as np
import torch

from ganvas.data.decode import decode_entry
from ganvas.errors import InputError
from ganvas.inference.jobs import Job
from ganvas.inference.translate import save, tile_for, translate_picture
from ganvas.methods.base import Direction
from ganvas.methods.translator import Translator
from ganvas.networks.untrained import kept_kernels
from ganvas.pictures import Picture

SMALL = 2**18
"""Pictures of up to so many pixels are computed beside one another."""
AT_ONCE, PIXELS = 8, 2**21
"""Pictures of one size, and pixels of them, that go as one batch on a GPU."""
AHEAD = 2**24
"""Pixels that are under way at a time; a picture that has more is alone."""
MORE = 2
"""Threads that read, encode and wait for the disk, beside those that compute."""
MOST = 16
"""Threads beside a GPU."""


@dataclass(frozen=True)
class Asked:
    """What is to be done with each picture."""

    method: Translator
    direction: Direction
    half: Literal["A", "B"] | None = None
    keep_alpha: bool = True
    tile: int | None = None
    depth: np.dtype | None = None

    def read(self, job: Job) -> tuple[Picture, str]:
        """The picture, and what is to be said of it."""
        entry = job.entry(self.half)
        try:
            content = entry.read()
        except OSError as error:
            raise InputError(f"{job.source}: cannot be read ({error.strerror})") from None
        picture = decode_entry(entry, content)
        with naming(job):
            return picture, self.method.cut_off(picture, self.direction)

    def write(self, job: Job, picture: Picture) -> None:
        with naming(job):
            save(picture if self.keep_alpha else replace(picture, alpha=None), job.target)

    def whole(self, job: Job, picture: Picture) -> Picture:
        with naming(job):
            return translate_picture(self.method, picture, self.direction, None, self.depth)

    @torch.no_grad()
    def together(self, pictures: Sequence[Picture]) -> list[Picture]:
        """Pictures of one size, as one batch."""
        device, way = next(self.method.parameters()).device, self.direction
        x = torch.stack([self.method.given(picture, way) for picture in pictures]).to(device)
        y = self.method.translate_tensor(x, way).cpu()
        return [self.method.answer(y[n], p, way, self.depth) for n, p in enumerate(pictures)]


@dataclass
class Few:
    """Pictures that are computed together, on their way."""

    jobs: list[Job]
    reads: list[Future[tuple[Picture, str]]] = field(default_factory=list)
    """Empty where those who write do all."""
    writes: list[Future[str]] = field(default_factory=list)
    """What is to be said of each; empty until the network has been asked."""
    error: Exception | None = None

    @property
    def pixels(self) -> int:
        return sum(job.size[0] * job.size[1] for job in self.jobs)

    @property
    def computed(self) -> bool:
        return bool(self.writes) or self.error is not None

    @property
    def done(self) -> bool:
        return self.computed and all(write.done() for write in self.writes)


def translate_all(
    asked: Asked,
    jobs: Sequence[Job],
    say: Callable[[str], object] = print,
    on_tile: Callable[[float], object] | None = None,
    at_once: int | None = None,
) -> Generator[Job, None, None]:
    """Translate, and yield each when its result is written, in their order: whole, or in tiles
    where these are asked for or a picture would not fit into memory. To end before all are done,
    close it: what is begun is left out.

    Args:
        on_tile: told which part of a picture in tiles is done.
        at_once: the most pictures in a batch; left out, 1 on the CPU. Batches of another size
            round otherwise.

    Raises:
        InputError: a picture cannot be read, does not fit or cannot be written; those before it
            are written. Or the method has no tiles.
    """
    if asked.tile and asked.method.by_search:
        raise InputError(
            f"--tile {asked.tile}: {asked.method.name} translates by a search for the latent of "
            "the whole picture, which has no tiles; leave it out"
        )
    with Crew(asked, say, on_tile, at_once) as crew:
        todo, under_way = deque(crew.batches(jobs)), deque[Few]()
        while todo or under_way:
            while todo and crew.room_for(todo[0], under_way):
                crew.begin(todo[0])
                under_way.append(todo.popleft())
            # The network is asked for the next ones before the last ones are waited for.
            waiting = next((few for few in under_way if not few.computed), None)
            if waiting:
                crew.compute(waiting)
            if under_way[0].done or not waiting:
                yield from crew.end(under_way.popleft())


class Crew:
    """The threads that read, compute and write."""

    def __init__(
        self,
        asked: Asked,
        say: Callable[[str], object],
        on_tile: Callable[[float], object] | None,
        at_once: int | None,
    ) -> None:
        self.asked, self.say, self.on_tile = asked, say, on_tile
        on_cpu = next(asked.method.parameters()).device.type == "cpu"
        self.at_once = at_once or (1 if on_cpu else AT_ONCE)
        self.threads = torch.get_num_threads()
        self.beside = on_cpu and self.at_once == 1 and not (asked.tile or asked.method.by_search)
        count = self.threads + MORE if on_cpu else min(os.cpu_count() or 1, MOST)
        self.most = 2 * count + self.at_once
        one = {"initializer": torch.set_num_threads, "initargs": (1,)}
        self.pool = ThreadPoolExecutor(count, **one)
        # Threads of their own, for allocators keep for each what it has ever taken.
        self.computers = ThreadPoolExecutor(self.threads, **one)
        self.stopped = Event()
        self.small: dict[tuple[int, int], bool] = {}

    def __enter__(self) -> Self:
        layers = self.asked.method.modules()
        self.hooks = [layer.register_forward_pre_hook(self.go_on) for layer in layers]
        self.open = ExitStack()
        self.open.enter_context(kept_kernels(self.asked.method))
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.computers.shutdown(wait=False, cancel_futures=True)
        self.pool.shutdown(cancel_futures=True)
        self.computers.shutdown()
        for hook in self.hooks:
            hook.remove()
        self.open.close()
        torch.set_num_threads(self.threads)  # of threads that begin later

    def go_on(self, *_: Any) -> None:
        """Before each layer: so nobody waits long for a thread that computes in vain."""
        if self.stopped.is_set():
            raise Stopped

    def batches(self, jobs: Iterable[Job]) -> Iterator[Few]:
        """Pictures that follow one another, as they go through the network."""
        alone = self.asked.tile or self.asked.method.by_search
        for (width, height), same in groupby(jobs, lambda job: job.size):
            count = min(self.at_once, PIXELS // max(width * height, 1))
            while few := list(islice(same, 1 if alone else max(count, 1))):
                yield Few(few)

    def room_for(self, few: Few, under_way: Sequence[Few]) -> bool:
        if not under_way:
            return True
        pixels = sum(other.pixels for other in under_way) + few.pixels
        return pixels <= AHEAD and sum(len(other.jobs) for other in under_way) < self.most

    def begin(self, few: Few) -> None:
        """Let somebody read them; of a small one, do all."""
        if self.beside and self.is_small(few.jobs[0].size):
            few.writes = [self.pool.submit(self.all_of, job) for job in few.jobs]
        else:
            few.reads = [self.pool.submit(self.asked.read, job) for job in few.jobs]

    def is_small(self, size: tuple[int, int]) -> bool:
        """Whether as many of that size as there are threads fit into memory."""
        if size not in self.small:
            fits = 0 < size[0] * size[1] <= SMALL
            asked = self.asked
            parts = (asked.method, size, asked.direction, self.threads)
            self.small[size] = fits and tile_for(*parts) is None
        return self.small[size]

    def all_of(self, job: Job) -> str:
        """A small picture's whole way: what is to be said of it."""
        picture, text = self.asked.read(job)
        answer = self.computers.submit(self.asked.whole, job, picture).result()
        self.go_on()
        self.asked.write(job, answer)
        return text

    def compute(self, few: Few) -> None:
        """Ask the network, and let somebody write what it answers."""

        def written(job: Job, answer: Picture) -> str:
            self.asked.write(job, answer)
            return ""

        try:
            for job, answer in zip(few.jobs, self.answers(few), strict=True):
                few.writes.append(self.pool.submit(written, job, answer))
        except InputError as error:
            few.error = error  # told when those before it are written
        few.reads = []

    def answers(self, few: Few) -> Iterator[Picture]:
        if len(few.jobs) > 1 and self.fit(few) and (found := self.together(few)):
            yield from found
            return
        for job, read in zip(few.jobs, few.reads, strict=True):
            picture, text = read.result()
            self.note(job, text)
            yield self.answer(job, picture)

    def fit(self, few: Few) -> bool:
        """Whether they fit into memory as one batch."""
        asked = self.asked
        parts = (asked.method, few.jobs[0].size, asked.direction, len(few.jobs))
        return tile_for(*parts) is None

    def together(self, few: Few) -> list[Picture]:
        """As one batch; none where one is at fault: it is seen which when they go singly."""
        try:
            read = [read.result() for read in few.reads]
            found = self.asked.together([picture for picture, _ in read])
        except (InputError, torch.OutOfMemoryError):
            return []
        for job, (_, text) in zip(few.jobs, read, strict=True):
            self.note(job, text)
        return found

    def answer(self, job: Job, picture: Picture) -> Picture:
        """Of one picture, with all threads; in tiles where it does not fit into memory whole."""
        asked = self.asked
        side = asked.tile or tile_for(asked.method, picture.size, asked.direction)
        if side and not asked.tile:
            self.say(f"{job.source}: too large for the memory that is free; in tiles of {side}")
        more = (asked.direction, side, asked.depth, self.on_tile)
        with naming(job):
            return translate_picture(asked.method, picture, *more)

    def end(self, few: Few) -> Iterator[Job]:
        """Each when it is written."""
        for job, write in zip(few.jobs, few.writes, strict=few.error is None):
            self.note(job, write.result())
            yield job
        if few.error is not None:
            raise few.error

    def note(self, job: Job, text: str) -> None:
        if text:
            self.say(f"{job.source}: {text}")


class Stopped(Exception):
    """Nobody waits for it any more."""


@contextmanager
def naming(job: Job) -> Iterator[None]:
    """What is wrong with a picture is told with its name."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{job.source}: {error}") from None
