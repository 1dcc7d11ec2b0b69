"""`ganvas data download`: a published set, or the archive at an address, as a folder."""

import json
import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ganvas.data.fetching import Patience, Unavailable, Watcher, address, fetch
from ganvas.data.layouts import Layout, recognise
from ganvas.data.part_file import Part, faults_of_disk, spoken_size
from ganvas.data.published import PUBLISHED, REFUSED, Published
from ganvas.data.sources import FileEntry, files_below, is_picture
from ganvas.data.unpacking import BadArchive, Limits, complaint, unpack
from ganvas.errors import InputError, did_you_mean

PROVENANCE = "SOURCE.json"
METHODS = {"unpaired": "cyclegan", "paired": "pix2pix"}
"""What trains on a layout whose set says nothing of it."""


@dataclass(frozen=True)
class Downloaded:
    """A set that is there, and how it came."""

    name: str
    folder: Path
    url: str
    size: int
    """Bytes of the archive."""
    sha256: str
    trusted: str
    """Who had that hash before; empty if it came for the first time."""
    layout: Layout
    published: Published | None = None

    def lines(self) -> list[str]:
        """What the user is told of it, with the commands to go on with."""
        counts = self.layout.counts
        parts = ", ".join(f"{part} {count}" for part, count in counts.items())
        known = self.trusted or "kept, to compare the next download with"
        place = shlex.quote(str(self.folder))
        lines = [
            f"{sum(counts.values())} pictures in {self.folder} ({parts})",
            f"{spoken_size(self.size)} from {self.url}",
            f"SHA-256 {self.sha256}, {known}",
            "",
            f"ganvas data check {place}",
        ]
        if train := self.train():
            method, _, options = train.partition(" ")
            run = shlex.quote(f"runs/{self.folder.name}")
            line = f"ganvas train {method} --data {place} {options}".rstrip()
            lines.append(f"{line} --out {run}")
        return lines

    def train(self) -> str:
        """The method that trains on it, with the options that suit the set; or nothing."""
        method = METHODS.get(self.layout.kind, "")
        if not method or not any(part.startswith("train") for part in self.layout.parts):
            return ""
        said = self.published.train if self.published else ""
        return said if said.split(" ")[0] == method else method


@dataclass
class Hashes:
    """The SHA-256 of what was downloaded before: a JSON file in the user's data folder."""

    path: Path
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of_user(cls) -> "Hashes":
        """Those in $XDG_DATA_HOME/ganvas.

        Raises:
            InputError: the file is damaged.
        """
        home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        hashes = cls(Path(home).expanduser() / "ganvas" / "downloads.json")
        hashes.read()
        return hashes

    def read(self) -> None:
        try:
            known = json.loads(self.path.read_text())
        except FileNotFoundError:
            return
        except (OSError, ValueError):
            known = None
        if not isinstance(known, dict) or not all(
            isinstance(entry, dict) and isinstance(entry.get("sha256"), str)
            for entry in known.values()
        ):
            raise InputError(
                f"{self.path}: cannot be read, which holds the hashes of earlier downloads; mend "
                "or remove it"
            )
        self.known = known

    def keep(self, name: str, entry: dict[str, Any]) -> None:
        """Raises InputError where the file cannot be written."""
        self.read()  # another process may have written meanwhile
        self.known[name] = entry
        writing = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with faults_of_disk(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            writing.write_text(json.dumps(self.known, indent=1, sort_keys=True) + "\n")
            os.replace(writing, self.path)

    def expected(self, name: str, published: Published | None) -> dict[str, str]:
        """The hashes that the set may have, and who says so."""
        expected = {}
        if published and published.sha256:
            expected[published.sha256] = "as TensorFlow Datasets keeps it"
        if entry := self.known.get(name):
            expected.setdefault(entry["sha256"], f"as downloaded on {entry.get('date', '?')[:10]}")
        return expected


def download(
    name: str,
    folder: Path,
    mirrors: Sequence[str] = (),
    accept_changed: bool = False,
    watcher: Watcher | None = None,
    patience: Patience | None = None,
    limits: Limits | None = None,
) -> Downloaded:
    """Fetch a published set, or the archive at an address, and unpack it into a new folder.

    `mirrors` are tried before the set's own addresses. `accept_changed` takes a set whose hash is
    another than it was.

    Raises:
        InputError: there is no such set, nobody gives it, it is another than before, the archive
            would do harm, the folder holds something, or the disk is full.
    """
    watcher, patience = watcher or Watcher(), patience or Patience()
    published = look_up(name)
    addresses = [
        address(url) for url in [*mirrors, *(published.addresses if published else [name])]
    ]
    place = free_place(folder)
    hashes = Hashes.of_user()
    expected = hashes.expected(name, published)
    if published and published.other:
        layout = PUBLISHED[published.other].layout
        watcher.said(f"{name} is {published.layout}; {published.other} is {layout}")
    part = Part.found(place.with_name(f"{place.name}.part"), name)
    with part.locked():
        url = bring(part, name, addresses, accept_changed, watcher, patience)
        size, sha256 = part.have, part.sha256()
        if expected and sha256 not in expected:
            see_changed(part, expected, sha256, url, accept_changed, watcher)
        source = {
            "name": name,
            "url": url,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "size": size,
            "sha256": sha256,
        }
        unpacked(part, place, published, source, watcher, limits)
        part.drop()
    try:
        hashes.keep(name, {key: source[key] for key in ("sha256", "size", "url", "date")})
    except InputError as error:
        watcher.said(f"{error}; the next download cannot be compared with this one")
    layout = layout_of(place)
    for sentence in differences(published, layout, size):
        watcher.said(sentence)
    return Downloaded(name, folder, url, size, sha256, expected.get(sha256, ""), layout, published)


def look_up(name: str) -> Published | None:
    """The set of that name; None where the name is an address.

    Raises:
        InputError: there is none, or it may not be handed on.
    """
    if name in REFUSED:
        raise InputError(f"{name}: {REFUSED[name]}")
    if "://" in name:
        return None
    if name not in PUBLISHED:
        raise InputError(
            f"there is no published set {name!r}{did_you_mean(name, list(PUBLISHED))}; "
            "`ganvas data download --list` names them"
        )
    return PUBLISHED[name]


def free_place(folder: Path) -> Path:
    """Where the set goes, by its absolute path.

    Raises:
        InputError: something is there that would be lost.
    """
    place = folder.expanduser().resolve()
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise InputError(f"{folder}: exists and is not empty; choose another folder")
        above = next(path for path in place.parents if path.exists())
        if not above.is_dir():
            raise InputError(f"{folder}: lies below {above}, which is a file")
        if place == Path.cwd() or os.path.ismount(place):
            raise InputError(f"{folder}: cannot be replaced; name a new folder in it")
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None
    return place


def bring(
    part: Part,
    name: str,
    addresses: list[str],
    accept_changed: bool,
    watcher: Watcher,
    patience: Patience,
) -> str:
    """Bring the archive from the first address that gives it: which one.

    Raises:
        InputError: none does.
    """
    if part.have and part.name != name:
        watcher.said(f"starts anew: what is there is a part of {part.name}")
        part.name = name
        part.begin()
    if part.refused and not accept_changed:
        watcher.said("starts anew: what is there was another file than expected")
        part.begin()
    if part.total is not None and part.have == part.total and part.url:
        return part.url
    faults = []
    for url in addresses:
        try:
            fetch(url, part, complaint, watcher, patience)
        except Unavailable as fault:
            faults.append(f"{url} ({fault})")
            if url != addresses[-1]:
                watcher.said(f"{url}: {fault}; the next address is tried")
        else:
            return url
    kept = f"{spoken_size(part.have)} are kept, and " if part.have else ""
    again = "the same command goes on with them later" if kept else "try again later"
    raise InputError(
        f"{name}: cannot be had: {'; '.join(faults)}. {kept}{again}, or name another address with "
        "--mirror"
    )


def see_changed(
    part: Part,
    expected: dict[str, str],
    sha256: str,
    url: str,
    accept_changed: bool,
    watcher: Watcher,
) -> None:
    """Refuse a file that is another than before, unless that is accepted."""
    before = " or ".join(f"{known} {who}" for known, who in expected.items())
    sentence = f"{part.name}: is not what it was: SHA-256 {sha256} from {url}, but {before}"
    if accept_changed:
        watcher.said(f"{sentence}; accepted")
        return
    part.refused = True
    part.save()
    raise InputError(
        f"{sentence}; the same command fetches it anew; --accept-changed takes it as it is, if you "
        "know why it changed"
    )


def unpacked(
    part: Part,
    place: Path,
    published: Published | None,
    source: dict[str, Any],
    watcher: Watcher,
    limits: Limits | None,
) -> None:
    """Put what the archive holds into its place: all of it, or nothing."""
    beside = place.with_name(f".{place.name}.ganvas-unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        unpack(part.path, part.name, beside / "all", watcher.unpacked, limits)
        root = below_top(beside / "all", published.folder if published else stem(part.name))
        with faults_of_disk(place):
            provenance(root).write_text(json.dumps(source, indent=1) + "\n")
            if place.exists():
                place.rmdir()
            os.rename(root, place)
    except BadArchive:
        part.begin()  # another call has to fetch it again
        raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def below_top(folder: Path, name: str) -> Path:
    """The folder of the set's own name in it, where all lies in there."""
    found = [path for path in folder.iterdir() if path.name != "__MACOSX"]
    alone = len(found) == 1 and found[0].is_dir() and found[0].name.lower() == name.lower()
    return found[0] if alone else folder


def stem(url: str) -> str:
    """`http://host/pictures.tar.gz` -> `pictures`."""
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    return name.removesuffix(".zip").removesuffix(".tgz").removesuffix(".tar.gz")


def provenance(root: Path) -> Path:
    """Where to say where the set is from: beside what the archive itself may say of it."""
    path, number = root / PROVENANCE, 1
    while path.exists():
        number += 1
        path = root / f"{Path(PROVENANCE).stem}-{number}.json"
    return path


def layout_of(folder: Path) -> Layout:
    return recognise([FileEntry(folder, name) for name in files_below(folder) if is_picture(name)])


def differences(published: Published | None, layout: Layout, size: int) -> list[str]:
    """How a set differs from what is known of it."""
    if not any(layout.counts.values()):
        return ["it holds no pictures"]
    if published is None:
        return []
    said = []
    if published.sha256 and published.size != size:
        said.append(f"the archive has {size:,} bytes; {published.size:,} were known")
    for part, count in published.counts.items():
        if (found := layout.counts.get(part, 0)) != count:
            said.append(f"pictures in {part}: {found}, but {count} were known")
    return said


def listed() -> list[str]:
    """The published sets, a line each."""
    rows = [("name", "archive", "pictures", "of")]
    for name, published in PUBLISHED.items():
        size = "?" if published.size is None else spoken_size(published.size)
        rows.append((name, size, published.pictures, published.about))
    for name, why in REFUSED.items():
        rows.append((name, "-", "-", f"not to be had: {why.split(';')[0]}"))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return [
        f"{name:<{widths[0]}}  {size:>{widths[1]}}  {pictures:<{widths[2]}}  {about}"
        for name, size, pictures, about in rows
    ]
