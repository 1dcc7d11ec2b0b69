"""What a picture takes whole, and the tile that is chosen where this is too much."""

import pytest
from torch import nn

from ganvas.inference.tiles.fitting import choose_tile, untiled_bytes
from ganvas.networks.patchgan import PatchDiscriminator
from ganvas.networks.resnet import ResnetGenerator
from ganvas.networks.unet import UnetGenerator

GIB = 2**30
RESNET = ResnetGenerator(3, 3, 16, 9)
UNET = UnetGenerator(3, 3, 16, 8)
WANTS = {RESNET: {"stride": 4, "smallest": 8}, UNET: {"stride": 256, "smallest": 256}}


def expected(network: nn.Module, height: int, width: int) -> float:
    return untiled_bytes(network, (height, width), **WANTS[network])


def test_published_networks_take_what_was_measured():
    # `python benchmarks/tiles.py --estimates`: one thread, torch 2.14.1; by half at most.
    for network, size, mebibytes in ((RESNET, 1024, 195), (UNET, 1024, 190)):
        assert expected(network, size, size) / 2**20 == pytest.approx(mebibytes, rel=0.5)


@pytest.mark.parametrize("network", [RESNET, UNET], ids=["resnet", "unet"])
def test_four_times_the_picture_takes_four_times_the_memory(network: nn.Module):
    ratio = expected(network, 4096, 4096) / expected(network, 2048, 2048)
    assert ratio == pytest.approx(4, rel=0.02)
    assert expected(network, 1024, 4096) == pytest.approx(expected(network, 2048, 2048), rel=0.02)


def test_blocks_that_run_one_after_the_other_take_no_more_than_one():
    one = ResnetGenerator(3, 3, 16, 1)
    WANTS[one] = WANTS[RESNET]
    assert expected(one, 512, 512) == expected(RESNET, 512, 512)


def test_wider_networks_take_more():
    wide = ResnetGenerator(3, 3, 32, 9)
    WANTS[wide] = WANTS[RESNET]
    assert expected(wide, 512, 512) > 1.8 * expected(RESNET, 512, 512)


def test_a_picture_that_fits_into_half_of_the_memory_goes_whole():
    need = expected(RESNET, 1000, 1500)
    assert choose_tile(RESNET, (1000, 1500), 2.01 * need, **WANTS[RESNET]) is None
    assert choose_tile(RESNET, (1000, 1500), 1.99 * need, **WANTS[RESNET]) == 512


@pytest.mark.parametrize("network", [RESNET, UNET], ids=["resnet", "unet"])
def test_tiles_are_smaller_where_memory_is_scarce_but_never_tiny(network: nn.Module):
    free = [2**i * 2**20 for i in range(4, 14)]
    tiles = [choose_tile(network, (50_000, 50_000), bytes_, **WANTS[network]) for bytes_ in free]
    assert tiles == sorted(tiles, key=lambda tile: tile or 0)
    assert set(tiles) == {128, 256, 512}


def test_networks_that_cannot_be_tiled_go_whole():
    assert choose_tile(PatchDiscriminator(), (50_000, 50_000), GIB, stride=1, smallest=1) is None
