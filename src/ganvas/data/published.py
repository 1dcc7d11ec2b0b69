"""The sets that came with CycleGAN and pix2pix: where they are, and what is known of them.

Bytes and SHA-256, where given, are those that TensorFlow Datasets keeps of these files (its
`url_checksums/cycle_gan.txt`), and so are the counts of pictures (its catalog, read from the
files themselves: they differ from those in the papers). Other sizes are those of the server's
own listing, rounded.
"""

from dataclasses import dataclass, field

HOST = "efrosgans.eecs.berkeley.edu"
BEFORE = {
    "cyclegan": "https://people.eecs.berkeley.edu/~taesung_park/CycleGAN/datasets/",
    "pix2pix": "https://people.eecs.berkeley.edu/~tinghuiz/projects/pix2pix/datasets/",
}
"""Where the files lay before, and links of old texts lead."""


@dataclass(frozen=True)
class Published:
    """A set, by the file that holds it."""

    file: str
    """Below the server's top: `cyclegan/datasets/maps.zip`."""
    about: str
    size: int | None = None
    """Bytes of the archive; rounded where there is no hash."""
    sha256: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    """Pictures in each part."""
    roughly: str = ""
    """How many there are, where that is known in round figures only."""
    train: str = "cyclegan"
    """What trains on it: a method, and the options that suit the set; empty if nothing does."""
    other: str = ""
    """The set of the same name in the other layout."""

    @property
    def folder(self) -> str:
        """What the archive calls its top folder."""
        return self.file.rsplit("/", 1)[-1].split(".")[0]

    @property
    def layout(self) -> str:
        return "pairs side by side" if self.file.startswith("pix2pix/") else "trainA and trainB"

    @property
    def addresses(self) -> list[str]:
        """Where it is, in the order to try."""
        paper, name = self.file.split("/")[0], self.file.rsplit("/", 1)[-1]
        return [f"https://{HOST}/{self.file}", f"http://{HOST}/{self.file}", BEFORE[paper] + name]

    @property
    def pictures(self) -> str:
        """`1067 + 1334, 120 + 140 to test`."""
        if not self.counts:
            return self.roughly or "?"
        train = [str(n) for part, n in self.counts.items() if part.startswith("train")]
        test = [str(n) for part, n in self.counts.items() if part.startswith("test")]
        return " + ".join(train) + (f", {' + '.join(test)} to test" if test else "")


def unpaired(name: str, about: str, size: int, sha256: str, *counts: int) -> Published:
    """A set of CycleGAN's, with the pictures in trainA, trainB, testA and testB."""
    parts = zip(["trainA", "trainB", "testA", "testB"], counts, strict=True)
    return Published(f"cyclegan/datasets/{name}.zip", about, size, sha256, dict(parts))


def paired(
    name: str, about: str, size: int, roughly: str, *, train: str = "pix2pix", other: str = ""
) -> Published:
    """A set of pix2pix's, of pictures side by side."""
    file = f"pix2pix/datasets/{name}.tar.gz"
    return Published(file, about, size, roughly=roughly, train=train, other=other)


PUBLISHED: dict[str, Published] = {
    "horse2zebra": unpaired(
        "horse2zebra",
        "horses and zebras, of ImageNet",
        116867962,
        "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1",
        *(1067, 1334, 120, 140),
    ),
    "apple2orange": unpaired(
        "apple2orange",
        "apples and oranges, of ImageNet",
        78456409,
        "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8",
        *(995, 1019, 266, 248),
    ),
    "summer2winter_yosemite": unpaired(
        "summer2winter_yosemite",
        "Yosemite in summer and in winter, of Flickr",
        132640856,
        "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9",
        *(1231, 962, 309, 238),
    ),
    "monet2photo": unpaired(
        "monet2photo",
        "Monet's paintings (WikiArt), photos of landscapes (Flickr)",
        305231073,
        "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04",
        *(1072, 6287, 121, 751),
    ),
    "cezanne2photo": unpaired(
        "cezanne2photo",
        "Cezanne's paintings, the same photos",
        279885071,
        "3a6c10ca21f9485862f1cbd707744b9dc258954a04631271d23a3605eeb63cff",
        *(525, 6287, 58, 751),
    ),
    "ukiyoe2photo": unpaired(
        "ukiyoe2photo",
        "ukiyo-e prints, the same photos",
        292946532,
        "02a2a2fb5ecf425ca1bf86aca7304377da64a2a1d3b86df54eb65e4068bf3b08",
        *(562, 6287, 263, 751),
    ),
    "vangogh2photo": unpaired(
        "vangogh2photo",
        "van Gogh's paintings, the same photos",
        306590349,
        "362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff",
        *(400, 6287, 400, 751),
    ),
    "iphone2dslr_flower": unpaired(
        "iphone2dslr_flower",
        "flowers, by telephones and by cameras, of Flickr",
        339964458,
        "8fcb5e374d631b107e1d961b8c4cd0a186aa2a4ff3e279923f4c426128de7113",
        *(1812, 3325, 569, 480),
    ),
    "maps": Published(
        "cyclegan/datasets/maps.zip",
        "aerial photos and maps, of Google",
        1476754427,
        "639534f69dbf9f36bef8d6292a7698006361221f83f0285d7c9ca78afe6e8a9e",
        {"trainA": 1096, "trainB": 1096, "testA": 1098, "testB": 1098},
        other="pix2pix-maps",
    ),
    "facades": Published(
        "cyclegan/datasets/facades.zip",
        "photos and label maps of fronts, of CMP Facades",
        35135868,
        "9a31ebf3a31b9b5cd195dd5bf62e9308e00cb94604d1019e3889ac84248695c0",
        {"trainA": 400, "trainB": 400, "testA": 106, "testB": 106},
        other="pix2pix-facades",
    ),
    "ae_photos": Published(
        "cyclegan/datasets/ae_photos.zip",
        "photos to translate into paintings; no training parts",
        10_000_000,
        train="",
    ),
    "mini": Published("cyclegan/datasets/mini.zip", "a few pictures, to test programs"),
    "mini_pix2pix": Published(
        "cyclegan/datasets/mini_pix2pix.zip", "a few pairs, to test programs", train="pix2pix"
    ),
    "mini_colorization": Published(
        "cyclegan/datasets/mini_colorization.zip",
        "a few colour pictures, to test programs",
        train="",
    ),
    "pix2pix-facades": paired(
        "facades",
        "pairs of photo and label map of fronts, of CMP Facades",
        29_000_000,
        "400",
        train="pix2pix --direction BtoA",
        other="facades",
    ),
    "pix2pix-maps": paired(
        "maps", "pairs of aerial photo and map, of Google", 239_000_000, "1096", other="maps"
    ),
    "edges2shoes": paired(
        "edges2shoes", "pairs of edges and shoe, of UT Zappos50K", 2_000_000_000, "about 50000"
    ),
    "edges2handbags": paired(
        "edges2handbags", "pairs of edges and handbag, of iGAN", 8_000_000_000, "about 137000"
    ),
    "night2day": paired(
        "night2day", "pairs of one place by night and by day", 1_900_000_000, "about 20000"
    ),
}

REFUSED = {
    "cityscapes": (
        "its licence lets nobody hand it on; register at https://www.cityscapes-dataset.com and "
        "take gtFine_trainvaltest.zip and leftImg8bit_trainvaltest.zip there"
    ),
}
"""A set of the same papers that is not to be had so, and why."""
