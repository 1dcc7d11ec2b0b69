"""Whatever a user gets wrong: exit status 2, one sentence that names it and the mend, no
traceback, and nothing written."""

import io
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from making import noise, write_unpaired
from PIL import Image

from ganvas.cli import main
from ganvas.data.samples import SAMPLES

TRAIN = "train cyclegan --data {data} --out new"
TINY = "--size 32 --ngf 4 --ndf 4 --n-blocks 1 --n-layers 2 --device cpu --threads 1"


def bytes_of(kind: str) -> bytes:
    file = io.BytesIO()
    noise(0, 40, 40, 3).save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path) -> Path:
    """A folder of everything that may be wrong, and some that is right."""
    here = tmp_path_factory.mktemp("place")
    write_unpaired(here / "data")
    spoilt = {
        "noise": ("trainA/bad.png", b"\0\1\2" * 99),
        "zero": ("trainB/bad.png", b""),
        "half-jpeg": ("trainA/bad.jpg", bytes_of("JPEG")[:900]),
        "half-png": ("trainB/bad.png", bytes_of("PNG")[:900]),
        "text": ("trainA/bad.jpg", b"<html>not found</html>"),
    }
    for name, (file, content) in spoilt.items():
        shutil.copytree(here / "data", here / name)
        (here / name / file).write_bytes(content)
    shutil.copytree(here / "data", here / "without-b", ignore=shutil.ignore_patterns("trainB"))
    shutil.copytree(here / "data", here / "grey-a")
    for path in (here / "grey-a" / "trainA").iterdir():
        Image.open(path).convert("L").save(path)
    shutil.copytree(here / "data", here / "sizes")
    noise(1, 40, 44, 3).save(here / "sizes" / "trainB" / "wide.png")
    (here / "empty").mkdir()
    (here / "paired" / "train").mkdir(parents=True)
    noise(0, 40, 80, 3).save(here / "paired" / "train" / "1.png")
    (here / "split" / "train").mkdir(parents=True)
    noise(0, 40, 40, 3).save(here / "split" / "train" / "1.png")
    (here / "no.zip").write_bytes(b"no zip")
    (here / "unknown.yaml").write_text("size: 32\nlamda_A: 5\n")
    (here / "wrong.yaml").write_text("batch_size: many\n")
    (here / "list.yaml").write_text("- size\n")
    (here / "torn.yaml").write_text("size: [32\n")
    shutil.copytree(tiny_run, here / "run")
    shutil.copytree(tiny_run, here / "unborn", ignore=shutil.ignore_patterns("snapshots"))
    shutil.copytree(tiny_run, here / "torn")
    (here / "torn" / "snapshots" / "latest" / "model.safetensors").write_bytes(b"torn")
    shutil.copytree(here / "data" / "testA", here / "translated")
    (here / "deep.pgm").write_bytes(b"P5 2 1 65535\nabcd")
    np.save(here / "five.npy", np.zeros((9, 8, 5), np.uint8))
    shutil.copytree(tiny_run, here / "floats")
    model = here / "floats" / "snapshots" / "latest" / "model.json"
    told = json.loads(model.read_text())
    told["pictures"]["B"] |= {"dtype": "float32", "low": [0] * 3, "high": [1] * 3}
    model.write_text(json.dumps(told))
    return here


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.name != ".lock")
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in files}


CASES = {
    # the data
    "a missing folder": ("train cyclegan --data nowhere", "--data nowhere: there is no such"),
    "no data at all": ("train cyclegan", "--data: is missing; give a folder, a zip, or sample:"),
    "an empty folder": ("train cyclegan --data empty", "--data empty: holds no pictures"),
    "a file that is no zip": ("train cyclegan --data no.zip", "neither a folder nor a whole zip"),
    "a domain without pictures": (
        "train cyclegan --data without-b",
        "--data without-b: there are no pictures in trainB/ (found",
    ),
    "pictures of one domain for cyclegan": (
        "train cyclegan --data split",
        "train/1.png: is 40x40 and no wider than high, so not A and B side by side.",
        "Two domains are the folders trainA/ and trainB/, or the halves of pictures that show both",
    ),
    "an unreadable picture": (
        f"train cyclegan --data noise {TINY}",
        "trainA/bad.png: is no picture",
        "Mend or remove them, or skip them with --max-bad 1",
    ),
    "an empty picture": (f"train cyclegan --data zero {TINY}", "trainB/bad.png: is empty", "--max"),
    "half a jpeg": (f"train cyclegan --data half-jpeg {TINY}", "trainA/bad.jpg: is damaged or cut"),
    "half a png": (f"train cyclegan --data half-png {TINY}", "trainB/bad.png: is damaged or cut"),
    "text": (f"train cyclegan --data text {TINY}", "trainA/bad.jpg: is text and no picture"),
    "more bad pictures than allowed": (
        f"train cyclegan --data zero {TINY} --max-bad 0",
        "skip them with --max-bad 1",
    ),
    "grey to colour with the identity loss": (
        f"train cyclegan --data grey-a {TINY}",
        "--lambda-identity 0.5: the identity loss wants equal channels, but A has 1 and B has 3",
        "set it to 0, or give --channels-A and --channels-B the same number",
    ),
    "pictures without a partner": (
        "train pix2pix --data data",
        "--data data: 1 picture belongs to no pair (trainA/5.png: no picture in trainB has",
        "leave it out with --max-bad 1",
    ),
    "an unknown sample": ("train cyclegan --data sample:street", "did you mean 'streets'?"),
    # settings
    "a size beside the stride": (f"{TRAIN} --size 250", "--size 250", "multiples of 4", "248x248"),
    "a size too small": (f"{TRAIN} --size 8", "--size 8: is too small", "take a larger size"),
    "a size in words": (f"{TRAIN} --size big", "--size big: wants N or WxH in pixels"),
    "a unet too deep": (
        f"{TRAIN} --generator unet --n-downs 8 --size 64",
        "--size 64: a unet generator wants multiples of 256; the nearest is 256x256",
    ),
    "a misspelt option": (f"{TRAIN} --lamda-A 3", "--lamda-A", "Did you mean --lambda-A?"),
    "a misspelt choice": (f"{TRAIN} --objective wgann", "--objective", "lsgan", "vanilla"),
    "a word for a number": (f"{TRAIN} --lr abc", "--lr abc: must be a number"),
    "a part of a thing": (f"{TRAIN} --n-blocks 1.5", "--n-blocks 1.5: must be a whole number"),
    "a number without a unit": (f"{TRAIN} --duration 5", "--duration 5: wants a number", "90min"),
    "an unknown unit": (f"{TRAIN} --duration 5parsecs", "--duration 5parsecs", "200ep"),
    "an interval of nothing": (f"{TRAIN} --log-every 0it", "--log-every 0it: wants a number above"),
    "a batch of nothing": (f"{TRAIN} --batch-size 0", "--batch-size 0: must be at least 1"),
    "an option without its value": (f"{TRAIN} --lr", "--lr: wants a value", "--help"),
    "a value without its option": (f"{TRAIN} 256", "256: belongs to no option", "--help"),
    "an option twice": (f"{TRAIN} --lr 1 --lr 2", "--lr"),
    "a decay that is too long": (
        f"{TRAIN} --duration 5ep --decay 6ep",
        "--decay 6ep: is longer than --duration 5ep",
    ),
    "a decay of another unit": (f"{TRAIN} --duration 5ep --decay 6it", "wants the unit of"),
    "a device of dreams": (f"{TRAIN} --device abacus", "--device abacus: is not there", "has cpu"),
    # the settings file
    "a missing settings file": (f"{TRAIN} --config gone.yaml", "--config gone.yaml: No such file"),
    "an unknown setting": (
        f"{TRAIN} --config unknown.yaml",
        "unknown.yaml: there is no setting 'lamda_A' (did you mean 'lambda_A'?)",
    ),
    "a wrong value in a file": (f"{TRAIN} --config wrong.yaml", "--batch-size many: must be a"),
    "a list for settings": (f"{TRAIN} --config list.yaml", "wants lines of the form `name: value`"),
    "torn YAML": (f"{TRAIN} --config torn.yaml", "--config torn.yaml: is not YAML"),
    # the reference's words
    "to continue": (
        "train cyclegan --dataroot data --continue_train",
        "--continue_train: use `ganvas resume RUN`",
        "a new training begins with --init",
    ),
    "CUT's way to begin": ("train cyclegan --pretrained_name x", "--pretrained_name: use --init"),
    "the reference's name": ("train cyclegan --dataroot data --name x", "--name: ", "--out RUN"),
    "the reference's model": (
        "train --dataroot data --model cycle_gan",
        "--model: name the method",
    ),
    "another model than the method": (
        "train cyclegan --dataroot data --model pix2pix",
        "--model: name the method in its place",
    ),
    "another layout than the method's": (
        "train pix2pix --dataroot data --dataset_mode unaligned",
        "--dataset_mode: leave it out",
    ),
    "a pool for pix2pix": ("train pix2pix --dataroot data --pool_size 50", "--pool-size"),
    "an unknown netG": ("train cyclegan --netG vit", "--netG vit: wants resnet_9blocks"),
    "an unknown netD": ("train cyclegan --netD vit", "--netD vit: wants basic, n_layers or pixel"),
    "netG without a value": ("train cyclegan --netG", "--netG: wants a value"),
    "epochs in words": ("train cyclegan --n_epochs many", "--n-epochs many: must be a number"),
    "several GPUs": ("train cyclegan --gpu_ids 0,1", "--gpu-ids 0,1: several GPUs"),
    # commands
    "a misspelt method": (
        "train cyclegann",
        'Unknown command "cyclegann". Did you mean "cyclegan"?',
    ),
    "a misspelt command": ("trian cyclegan", 'Unknown command "trian". Did you mean "train"?'),
    "an unknown method": ("methods cyclegann", "there is no method 'cyclegann' (did you mean"),
    "a run that is not told": ("resume", "RUN: is missing; `ganvas resume --help` says more"),
    # runs
    "an --out that is used": (
        "train cyclegan --data data --out translated",
        "--out translated: exists and is not empty; choose another --out",
    ),
    "an --out that is a run": (
        "train cyclegan --data data --out run",
        "or go on with it: `ganvas resume run`",
    ),
    "an --out that is a file": (
        "train cyclegan --data data --out no.zip",
        "--out no.zip: exists",
    ),
    "an --out below a file": (
        f"train cyclegan --data data {TINY} --out no.zip/run",
        "--out no.zip/run: cannot be made (Not a directory)",
    ),
    "resuming nothing": ("resume nowhere", "nowhere: there is no such run directory"),
    "resuming no run": ("resume data", "data: is no run directory (it has no config.yaml)"),
    "resuming for less": ("resume run --duration 5", "--duration 5: wants a number above 0"),
    "resuming without pictures": ("resume run --data nowhere", "--data nowhere: there is no such"),
    "a report of nothing": ("report nowhere", "nowhere: there is no such run directory"),
    "a report of no run": ("report data", "data: is no run directory"),
    # weights
    "translating with a file of weights": (
        "translate no.zip data --out new",
        "no.zip: is neither a run directory nor a snapshot; `ganvas import` makes a run of",
    ),
    "importing nothing": ("import --out new", "import: name at least one weights file"),
    "importing to nowhere": ("import no.zip", "--out: is missing"),
    "importing what is not there": ("import gone.pth --out new", "gone.pth: there is no such file"),
    "importing a folder": ("import data --out new", "data: is a folder; name the files in it"),
    "importing pictures": (
        "import data/trainA/0.png --out new",
        "0.png: is no file that torch.save or safetensors wrote",
    ),
    "importing over a run": ("import no.zip --out run", "--out run: exists and is not empty"),
    "beginning with nothing": (f"{TRAIN} --init gone", "--init gone: there is"),
    "beginning with an unborn run": (f"{TRAIN} --init unborn", "unborn: has no snapshot yet"),
    "beginning with torn weights": (f"{TRAIN} --init torn", "model.safetensors: cannot be read"),
    "beginning with other widths": (
        f"{TRAIN} --init run --ngf 64 --n-blocks 9",
        "--init run: does not fit this training: --n-blocks 9 here, 1 in the snapshot; --ngf 64",
    ),
    "a warmup in hours": (f"{TRAIN} --warmup 1h", "--warmup 1h: wants ep, it or kimg"),
    "a filter in a unet": (f"{TRAIN} --generator unet --antialias both", "is for --generator res"),
    # translation
    "translating with nothing": (
        "translate nowhere data --out new",
        "nowhere: there is no such run",
    ),
    "translating with no run": (
        "translate data data --out new",
        "data: is neither a run directory",
    ),
    "translating with an unborn run": ("translate unborn data --out new", "`ganvas resume unborn`"),
    "translating with torn weights": ("translate torn data/testA --out new", "cannot be read"),
    "translating nothing": ("translate run --out new", "name at least one picture, folder or glob"),
    "translating to nowhere": ("translate run data", "--out: is missing"),
    "translating what is not there": (
        "translate run gone.png --out new",
        "gone.png: there is no such file, folder or match",
    ),
    "translating an empty folder": ("translate run empty --out new", "empty: holds no pictures"),
    "translating text": ("translate run text/trainA/bad.jpg --out new", "bad.jpg: is text and no"),
    "translating 16 bits": (
        "translate run deep.pgm --out new",
        "deep.pgm: has 16 bits a channel, which would be lost",
        "are read from PNG, TIFF and NPY: convert it",
    ),
    "translating five channels": (
        "translate run five.npy --out new",
        "five.npy: has 5 channels and not 3",
    ),
    "a format that holds too little": (
        "translate floats data/testA --out new --format jpg",
        "--format jpg: does not hold float32 with 3 channels; tif does",
    ),
    "translating over what is there": (
        "translate run data/testA --out translated",
        "--out translated: translated/0.png exists and is not overwritten; choose another --out",
    ),
    "translating into a file": ("translate run data --out no.zip", "--out no.zip: is a file"),
    "translating to the side": (
        "translate run data --out new --direction AtoC",
        "--direction AtoC",
        "must be AtoB or BtoA",
    ),
    "translating with a count in words": (
        "translate run data --out new --max-bad few",
        "--max-bad few: must be a whole number",
    ),
    # samples and checks
    "an unlisted sample": ("data sample street new", "there is no sample 'street' (did you mean"),
    "a sample over something": (
        "data sample streets data",
        "data: exists and is not empty; choose another folder",
    ),
    "a sample below a file": ("data sample streets no.zip/x --count 1", "cannot be written (Not a"),
    "a sample too small": ("data sample streets new --size 8", "wants at least 32 pixels"),
    "a sample of none": ("data sample streets new --count 0", "--count 0: must be at least 1"),
    "a check of nothing": ("data check nowhere", "--data nowhere: there is no such folder or zip"),
    "a check of no pictures": ("data check empty", "--data empty: holds no pictures"),
    "a check at no size": ("data check data --size a", "--size a: wants N or WxH"),
}


DCGAN = "train dcgan --data data/trainA --out new "
CASES |= {
    "two domains for one": (
        "train dcgan --data data --out new",
        "--data data: holds two domains",
        "name it, as in --data data/trainA",
    ),
    "classes without folders": (DCGAN + "--conditional", "--conditional: wants a folder for each"),
    "too small for dcgan": (DCGAN + "--size 100x15", "--size 100x15: dcgan wants at least 16"),
    "sizes that differ": (DCGAN + "--preprocess none", "but a generator makes one", "center_crop"),
    "two channels": (DCGAN + "--channels 2", "has 3 channels and not 2; only grey and RGB"),
    "no channels": (DCGAN + "--channels 0", "--channels 0: must be at least 1"),
    "a range of one end": (DCGAN + "--range 7", "--range 7: wants type, measured, or LOW:HIGH"),
    "a range upside down": (f"{TRAIN} --range-A 9:3", "--range-A 9:3: wants type, measured"),
    "a range for too many": (
        f"{TRAIN} --range-B 0:1,0:2",
        "trainB: range 0:1,0:2: gives 2 channels their ends, but the pictures have 3",
    ),
    "no objective": (DCGAN + "--objective wgann", "--objective", 'Did you mean "wgan"?'),
    "labels where none are": (
        DCGAN + "--objective hinge --real-label 0.9",
        "--real-label: the hinge objective has no such label; these have: lsgan, vanilla",
    ),
    "a label too many": (
        DCGAN + "--objective vanilla-saturating --generator-label 0.9",
        "--generator-label: the vanilla-saturating objective has no such label",
    ),
    "a label that is no probability": (
        DCGAN + "--real-label 1.3",
        "--real-label 1.3: must be from 0 to 1",
    ),
    "a network that is none": (
        DCGAN + "--netG G.pth",
        "--netG: dcgan has one architecture; to begin with files, --init",
    ),
    "sizes that a penalty would compare": (
        "train cyclegan --data sizes --out new --gp 10 --preprocess none",
        "--gp-at mixed: compares real with generated pictures",
        "(such as 40x40 and 44x40)",
    ),
    "sizes that rpgan would compare": (
        "train cyclegan --data sizes --out new --objective rpgan --preprocess none",
        "--objective rpgan: compares real with generated pictures",
    ),
    "steps too few": (DCGAN + "--d-steps 1/1500", "--d-steps 1/1500: wants a number"),
    "no steps": (DCGAN + "--d-steps 0", "--d-steps 0: wants a number such as 5, or a part such as"),
    "steps of nothing": (DCGAN + "--d-steps 1/0", "--d-steps 1/0: wants a number"),
    "negative steps": (DCGAN + "--d-steps=-1", "--d-steps -1: wants a number"),
    "words for steps": (DCGAN + "--d-steps few", "--d-steps few: wants a number"),
    "negative penalty": (DCGAN + "--gp=-1", "--gp -1.0: must be at least 0"),
    "penalty never": (DCGAN + "--penalty-every 0", "--penalty-every 0: must be at least 1"),
    "no bound": (DCGAN + "--clip 0", "--clip 0: must be above 0"),
    "no rate": (DCGAN + "--lr-D 0", "--lr-D 0: must be above 0"),
    "no latent": (DCGAN + "--nz 0", "--nz 0: must be at least 1"),
    "another sample": ("train dcgan --data sample:shape", "did you mean 'shapes'?"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_one_sentence(case, place, monkeypatch, capsys):
    command, *phrases = CASES[case]
    monkeypatch.chdir(place)
    before = tree(place)
    status = main(shlex.split(command.format(data="data")))
    printed = capsys.readouterr()
    assert status == 2
    assert printed.err.startswith("ganvas: ")
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err + printed.out
    for phrase in phrases:
        assert phrase in printed.err
    assert tree(place) == before


@pytest.mark.parametrize(
    "option",
    [
        "--ema 5min",
        "--lr -1",
        "--lr inf",
        "--lambda-A inf",
        "--init-gain -1",
        "--seed 100000000000000000000000",
    ],
)
def test_values_that_no_training_can_have_are_refused_before_it(option, place, tmp_path, capsys):
    out = tmp_path / "run"
    argv = shlex.split(f"train cyclegan --data {place}/data {TINY} --duration 1it --out {out}")
    assert main([*argv, *option.split()]) == 2
    assert capsys.readouterr().err.startswith(f"ganvas: {option.split()[0]} ")
    assert not out.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said(unpaired_folder, capsys):
    assert main(["train", "cyclegan", "--data", str(unpaired_folder), "--device", "cuda"]) == 2
    assert "--device cuda: is not there; this machine has cpu" in capsys.readouterr().err


# The reference's spellings


@pytest.fixture
def settings_of(monkeypatch):
    """The settings that a command line comes to, and how they differ from the defaults."""

    def settings(command: str, method: str = "cyclegan") -> dict:
        taken = {}

        def dry_run(method, config, watcher):
            taken.update({name: getattr(config, name) for name in config.changed()})

        monkeypatch.setattr("ganvas.training.dry_run", dry_run)
        assert main(["train", method, *shlex.split(command), "--dry-run"]) == 0
        return taken

    return settings


SPELLINGS = {
    "--dataroot data": {"data": "data"},
    "--dataroot=data": {"data": "data"},
    "--gan_mode vanilla": {"objective": "vanilla"},
    "--no_lsgan": {"objective": "vanilla"},
    "--gan_mode wgangp": {"objective": "wgan", "gp": 10.0},
    "--objective wgan-gp --epochs 7": {"objective": "wgan", "gp": 10.0, "duration": "7ep"},
    "--netG resnet_6blocks": {"n_blocks": 6},
    "--which_model_netG resnet_9blocks": {},
    "--netG unet_128 --crop_size 128": {"generator": "unet", "n_downs": 7, "size": "128"},
    "--netD pixel": {"discriminator": "pixel"},
    "--netD n_layers --n_layers_D 4": {"n_layers": 4},
    "--n_epochs 1 --n_epochs_decay 1": {"duration": "2ep", "decay": "1ep"},
    "--n_epochs 50": {"duration": "150ep", "decay": "100ep"},
    "--niter 3 --niter_decay 0": {"duration": "3ep", "lr_policy": "constant"},
    "--lambda_identity 0 --lambda_A 5": {"lambda_identity": 0.0, "lambda_A": 5.0},
    "--no_flip": {"flip": False},
    "--no_dropout": {},
    "--load_size 40 --crop_size 32": {"load_size": "40", "size": "32"},
    "--loadSize 40 --fineSize 32": {"load_size": "40", "size": "32"},
    "--batch_size 2": {"batch_size": 2},
    "--batchSize 2": {"batch_size": 2},
    "--print_freq 10 --display_freq 40": {"log_every": "0.01kimg", "preview_every": "0.04kimg"},
    "--save_latest_freq 5000 --save_epoch_freq 5": {
        "latest_every": "5kimg",
        "snapshot_every": "5ep",
    },
    "--lr_policy step --lr_decay_iters 20": {"lr_policy": "step", "decay_every": "20ep"},
    "--gpu_ids -1": {"device": "cpu"},
    "--gpu_ids 1": {"device": "cuda:1"},
    "--num_threads 2 --serial_batches": {"workers": 2, "serial_batches": True},
    "--max_dataset_size 7 --preprocess none": {"max_pictures": 7, "preprocess": "none"},
    "--direction BtoA --input_nc 1 --output_nc 3": {
        "direction": "BtoA",
        "channels_B": 1,
        "channels_A": 3,
    },
    "--init_type xavier --init_gain 0.1 --pool_size 0": {
        "init_type": "xavier",
        "init_gain": 0.1,
        "pool_size": 0,
    },
    "--ngf 32 --ndf 16 --norm batch --beta1 0.9 --lr 1e-4": {
        "ngf": 32,
        "ndf": 16,
        "norm": "batch",
        "beta1": 0.9,
        "lr": 1e-4,
    },
}


@pytest.mark.parametrize("command", SPELLINGS)
def test_the_references_spellings_mean_what_they_meant(command, settings_of):
    assert settings_of(command) == SPELLINGS[command]


def test_the_references_script_for_pix2pix_means_what_it_meant(settings_of):
    command = (
        "--dataroot facades --model pix2pix --netG unet_256 --direction BtoA --lambda_L1 100 "
        "--dataset_mode aligned --norm batch --pool_size 0 --gan_mode vanilla --netD basic"
    )
    assert settings_of(command, "pix2pix") == {"data": "facades", "direction": "BtoA"}
    assert settings_of("--dataroot x --lambda_L1 10 --no_dropout", "pix2pix") == {
        "data": "x",
        "lambda_L1": 10.0,
        "dropout": False,
    }
    assert settings_of("--dataroot x --model cycle_gan --dataset_mode unaligned") == {"data": "x"}


@pytest.mark.parametrize(("mode", "method"), [("CUT", "cut"), ("FastCUT", "fastcut")])
def test_the_options_of_cut_mean_what_they_meant(mode, method, settings_of):
    command = (
        f"--dataroot grumpifycat --CUT_mode {mode} --model cut --dataset_mode unaligned "
        "--pool_size 0 --netF mlp_sample --lambda_NCE 2 --nce_layers 0,4,8 --num_patches 64 "
        "--netF_nc 128 --nce_T 0.1"
    )
    wanted = {"lambda_NCE": 2.0, "nce_layers": "0,4,8", "num_patches": 64, "netF_nc": 128}
    assert settings_of(command, method) == {"data": "grumpifycat", "nce_T": 0.1} | wanted
    left_out = {"cut": {"duration": "240ep"}, "fastcut": {"duration": "190ep"}}[method]
    found = settings_of("--data x --n_epochs_decay 40", method)
    assert found == {"data": "x", "decay": "40ep"} | left_out


def test_the_dcgan_examples_spellings_mean_what_they_meant(settings_of):
    command = (
        "--dataroot faces --workers 2 --batchSize 64 --imageSize 32 --nz 50 --ngf 32 --ndf 16 "
        "--niter 25 --lr 0.0001 --beta1 0.4 --manualSeed 999 --outf there --nc 1"
    )
    wanted = {"data": "faces", "workers": 2, "batch_size": 64, "size": "32", "nz": 50, "ngf": 32}
    wanted |= {"ndf": 16, "duration": "25ep", "lr": 0.0001, "beta1": 0.4, "seed": 999}
    assert settings_of(command, "dcgan") == wanted | {"out": "there", "channels": 1}


def test_the_dcgan_examples_epochs_may_decay(settings_of):
    wanted = {"data": "x", "duration": "6ep", "decay": "2ep", "lr_policy": "linear"}
    assert settings_of("--data x --niter 4 --niter_decay 2", "dcgan") == wanted


def test_a_sample_brings_settings_for_what_is_left_out(settings_of):
    taken = settings_of("--data sample:shapes --ngf 8", "dcgan")
    assert taken == {"data": "sample:shapes"} | SAMPLES["shapes"].suggests["dcgan"] | {"ngf": 8}


def test_a_command_of_the_reference_runs(unpaired_folder, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    command = (
        f"--dataroot {unpaired_folder} --gan_mode vanilla --netG resnet_6blocks --n_epochs 1 "
        "--n_epochs_decay 1 --lambda_identity 0 --no_flip --load_size 40 --crop_size 32 "
        "--batch_size 2 --print_freq 10 --no_dropout --gpu_ids -1 --ngf 4 --ndf 4"
    )
    assert main(["train", "cyclegan", *shlex.split(command), "--threads", "1", "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    shown = [line.strip() for line in printed.out.splitlines()]
    assert "n-blocks: 6   <- changed" in shown
    assert "duration: 2ep   <- changed" in shown
    assert "decay: 1ep   <- changed" in shown
    assert {p.name for p in tmp_path.iterdir()} == {"pictures"}


def test_yaml_takes_1e_4_for_a_number_and_the_command_line_wins(tmp_path, settings_of):
    (tmp_path / "a.yaml").write_text("lr: 1e-4\nlambda-A: 5\nsize: 128x64\nbatch_size: 2\n")
    taken = settings_of(f"--data x --config {tmp_path}/a.yaml --batch-size 3")
    wanted = {"data": "x", "lr": 1e-4, "lambda_A": 5.0, "size": "128x64", "batch_size": 3}
    assert taken == wanted
