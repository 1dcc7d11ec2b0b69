"""Options as users of pytorch-CycleGAN-and-pix2pix, of PyTorch's DCGAN example, and of StyleGAN
spell them, turned into ours.

Underscores are taken for hyphens everywhere. Where a spelling of the reference means something
that we say otherwise, the table below says it; its older spellings are in it too.
"""

from collections.abc import Callable

from ganvas.errors import InputError

RENAMED = {
    "dataroot": "data",
    "crop-size": "size",
    "fineSize": "size",
    "loadSize": "load-size",
    "batchSize": "batch-size",
    "imageSize": "size",
    "image-size": "size",
    "manualSeed": "seed",
    "outf": "out",
    "nc": "channels",
    "n-layers-D": "n-layers",
    "num-threads": "workers",
    "nThreads": "workers",
    "max-dataset-size": "max-pictures",
    "resize-or-crop": "preprocess",
    "which-direction": "direction",
    "which-model-netG": "netG",
    "which-model-netD": "netD",
    "niter": "n-epochs",
    "niter-decay": "n-epochs-decay",
    "trunc": "truncation",
    "cond": "conditional",
    "mirror-augment": "flip",
    "no-mirror-augment": "no-flip",
    "minibatch-base": "batch-size",
    "D-repeats": "d-steps",
    "G-lrate-base": "lr",
    "D-lrate-base": "lr-D",
    "G-lrate-dict": "lr-dict",
    "D-lrate-dict": "lr-dict-D",
    "lrate-rampup-kimg": "lr-rampup-kimg",
    "tick-kimg-base": "tick-kimg",
}

REFUSED = {
    "continue-train": "use `ganvas resume RUN`, which needs no other option; of networks that "
    "another project trained, a new training begins with --init FILES",
    "pretrained-name": "use --init with the files or the run to begin with",
    "epoch-count": "use `ganvas resume RUN`, which knows where it stood",
    "model": "name the method in its place: `ganvas train METHOD --data ...`; `ganvas methods` "
    "lists them",
    "name": "name the run directory: --out RUN",
    "checkpoints-dir": "name the run directory: --out RUN",
    "display-id": "no server is needed: see samples/ and report.html in the run directory",
    "dataset-mode": "leave it out; the layout is recognised from the folders",
    "resume-run-id": "use `ganvas resume RUN`, which needs no other option",
    "resume-snapshot": "use `ganvas resume RUN`, which goes on from the newest snapshot",
    "resume-kimg": "use `ganvas resume RUN`; it knows where it stood, and takes --resume-kimg too",
    "load-iter": "use `ganvas resume RUN`, which goes on from the newest snapshot",
    "dataset": "leave it out; the layout is recognised from the folders",
    "cuda": "leave it out; --device auto takes the fastest that is there",
    "ngpu": "one process trains on one device: see --device",
    "accel": "leave it out; --device auto takes the fastest that is there",
    "use-wandb": "see log.jsonl, report.html and TensorBoard's events in the run directory",
}


OTHERWISE = {
    "CUT-mode": "is the method's name here: `ganvas train cut` or `ganvas train fastcut`",
    "netF": "only mlp_sample is there; leave it out",
    "nce-includes-all-negatives-from-minibatch": "is not there; negatives are of the same picture",
    "no-antialias": "say --antialias up, or none, and --no-antialias-D",
    "no-antialias-up": "say --antialias down, or none",
}
"""What CUT has, and no option is for here."""
CONTRASTIVE = {
    "model": "cut",
    "dataset-mode": "unaligned",
    "netF": "mlp_sample",
    "pool-size": "0",
}
SO_ANYWAY = {
    "cut": CONTRASTIVE | {"CUT-mode": "CUT"},
    "cyclegan": {"model": "cycle_gan", "dataset-mode": "unaligned"},
    "fastcut": CONTRASTIVE | {"CUT-mode": "FastCUT"},
    "pix2pix": {"model": "pix2pix", "dataset-mode": "aligned", "pool-size": "0"},
}
"""What commands of the reference, and of CUT, say of a method and what is never otherwise here:
left out."""


def generator_of(value: str) -> list[str]:
    kind, _, rest = value.partition("_")
    if kind == "resnet" and rest.removesuffix("blocks").isdigit():
        return ["--generator", "resnet", "--n-blocks", rest.removesuffix("blocks")]
    if kind == "unet" and rest.isdigit() and int(rest).bit_count() == 1:
        return ["--generator", "unet", "--n-downs", str(int(rest).bit_length() - 1)]
    raise InputError(f"--netG {value}: wants resnet_9blocks, resnet_6blocks, unet_256 or unet_128")


def discriminator_of(value: str) -> list[str]:
    known = {
        "basic": ["--discriminator", "patch", "--n-layers", "3"],
        "n_layers": ["--discriminator", "patch"],
        "pixel": ["--discriminator", "pixel"],
    }
    if value not in known:
        raise InputError(f"--netD {value}: wants basic, n_layers or pixel")
    return known[value]


def objective_of(value: str) -> list[str]:
    if value in ("wgangp", "wgan-gp"):  # in the reference without its penalty
        return ["--objective", "wgan", "--gp", "10"]
    return ["--objective", value]


def device_of(value: str) -> list[str]:
    if value.count(",") and value.strip(","):
        raise InputError(f"--gpu-ids {value}: several GPUs are not there yet; name one of them")
    return ["--device", "cpu" if value == "-1" else f"cuda:{value.split(',')[0]}"]


def images(option: str) -> Callable[[str], list[str]]:
    """The reference counts these in images."""

    def turned(value: str) -> list[str]:
        kimg = f"{number(option, value) / 1000:.6f}".rstrip("0").rstrip(".")
        return [f"--{option}", f"{kimg}kimg"]

    return turned


def with_unit(option: str, unit: str) -> Callable[[str], list[str]]:
    """The reference of StyleGAN counts these in kimg or ticks."""
    return lambda value: [f"--{option}", f"{value}{unit}"]


def epochs(option: str) -> Callable[[str], list[str]]:
    return with_unit(option, "ep")


TRUTHS = {"True": True, "False": False}
"""What CUT's options that are on or off are followed by."""
EPOCHS = {"cut": ("200", "200"), "dcgan": ("100", "0"), "fastcut": ("150", "50")}
"""What published code takes for --n_epochs and --n_epochs_decay where these are not 100 and 100.
The DCGAN example has no decay: its --niter is all epochs."""
TOGETHER = ("n-epochs", "n-epochs-decay", "input-nc", "output-nc")
TURNED: dict[str, Callable[[str], list[str]]] = {
    "gan-mode": objective_of,
    "objective": objective_of,
    "num-epochs": epochs("duration"),
    "epochs": epochs("duration"),
    "total-kimg": with_unit("duration", "kimg"),
    "G-smoothing-kimg": with_unit("ema", "kimg"),
    "image-snapshot-ticks": with_unit("preview-every", "tick"),
    "network-snapshot-ticks": with_unit("snapshot-every", "tick"),
    "netG": generator_of,
    "netD": discriminator_of,
    "gpu-ids": device_of,
    "print-freq": images("log-every"),
    "display-freq": images("preview-every"),
    "save-latest-freq": images("latest-every"),
    "save-epoch-freq": epochs("snapshot-every"),
    "lr-decay-iters": epochs("decay-every"),
}


def number(option: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InputError(f"--{option} {value}: must be a number") from None


def accept_reference_spellings(argv: list[str]) -> list[str]:
    """The same command line in our words; what comes after `--` is left as it is."""
    end = argv.index("--") if "--" in argv else len(argv)
    tokens, turned, said = split_values(argv[:end]), [], {}
    for token, value in tokens:
        if not token.startswith("--") or token == "--":
            turned.append(token)
            continue
        name = token[2:].replace("_", "-")
        name = RENAMED.get(name, name)
        if value is not None and so_anyway(argv).get(name) == value:
            continue
        if argv[:2] == ["train", "pix2pix"] and value == "colorization":
            turned += ["--colorization"] if "--colorization" not in turned else []
            continue
        if argv[:1] == ["train"] and argv[1:2] in (["cut"], ["fastcut"]) and name in OTHERWISE:
            raise InputError(f"{token}: {OTHERWISE[name]}")
        if value in TRUTHS:
            turned.append(f"--{name}" if TRUTHS[value] else f"--no-{name}")
            continue
        if argv[:1] == ["train"] and name in REFUSED:
            raise InputError(f"{token}: {REFUSED[name]}")
        if argv[:2] == ["train", "dcgan"] and name in ("netG", "netD"):
            raise InputError(
                f"{token}: dcgan has one architecture; to begin with files, --init A,B"
            )
        if value is None and (name in TURNED or name in TOGETHER):
            raise InputError(f"{token}: wants a value")
        if name in TOGETHER or name == "no-lsgan":
            said[name] = value or ""
        elif name in TURNED and value is not None:
            turned += TURNED[name](value)
        else:
            turned += [f"--{name}"] if value is None else [f"--{name}", value]
    if turned.count("--n-layers") > 1:
        # As there: `--netD basic` has three layers, whatever --n_layers_D says.
        turned = [*without("--n-layers", turned), "--n-layers", "3"]
    return turned + together(said, turned) + argv[end:]


def so_anyway(argv: list[str]) -> dict[str, str]:
    """The options of the reference that say nothing new of the method that is to be trained."""
    return SO_ANYWAY.get(argv[1], {}) if argv[:1] == ["train"] and len(argv) > 1 else {}


def without(option: str, tokens: list[str]) -> list[str]:
    """The command line without that option and its values."""
    places = [i for i, token in enumerate(tokens) if token == option]
    return [t for i, t in enumerate(tokens) if i not in places and i - 1 not in places]


def together(said: dict[str, str], turned: list[str]) -> list[str]:
    """Options that mean something only together."""
    out: list[str] = []
    from_noise = turned[:2] == ["train", "dcgan"]
    if said.keys() & {"n-epochs", "n-epochs-decay"}:
        method = turned[1] if turned[:1] == ["train"] and len(turned) > 1 else ""
        first, last = EPOCHS.get(method, ("100", "100"))
        constant = number("n-epochs", said.get("n-epochs", first))
        decay = number("n-epochs-decay", said.get("n-epochs-decay", last))
        out += ["--duration", f"{constant + decay:g}ep"]
        if decay:
            out += ["--decay", f"{decay:g}ep"]
            out += ["--lr-policy", "linear"] if from_noise else []
        elif "--lr-policy" not in turned:
            out += ["--lr-policy", "constant"]
    swapped = "BtoA" in turned
    if "input-nc" in said:
        out += ["--channels-B" if swapped else "--channels-A", said["input-nc"]]
    if "output-nc" in said:
        out += ["--channels-A" if swapped else "--channels-B", said["output-nc"]]
    if "no-lsgan" in said:
        out += ["--objective", "vanilla"]
    return out


def split_values(argv: list[str]) -> list[tuple[str, str | None]]:
    """(option, value) pairs; words that belong to no option stand alone with None."""
    pairs: list[tuple[str, str | None]] = []
    at = 0
    while at < len(argv):
        token = argv[at]
        at += 1
        if not token.startswith("--"):
            pairs.append((token, None))
        elif "=" in token:
            option, _, value = token.partition("=")
            pairs.append((option, value))
        elif at < len(argv) and (argv[at] in TRUTHS or takes_its_own(token, argv[at])):
            pairs.append((token, argv[at]))
            at += 1
        else:
            pairs.append((token, None))
    return pairs


def takes_its_own(token: str, following: str) -> bool:
    return not following.startswith("--") and takes_value(token)


def takes_value(token: str) -> bool:
    """Whether the table above must see the word that follows this option."""
    name = token[2:].replace("_", "-")
    name = RENAMED.get(name, name)
    said = [option for options in SO_ANYWAY.values() for option in options]
    return name in TURNED or name in TOGETHER or name in said
