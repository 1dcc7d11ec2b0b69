"""StyleGAN: what is true of its step and of its use alone."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganvas.clock import Clock
from ganvas.errors import InputError
from ganvas.losses.penalties import gradient_penalty, r1, r2
from ganvas.methods.dcgan import DCGAN
from ganvas.methods.dcgan import Config as DCGANConfig
from ganvas.methods.styled import noise_of
from ganvas.methods.stylegan import Config, StyleGAN
from ganvas.networks.equalized import downscaled, upscaled

SMALL: dict[str, Any] = {
    "size": "16",
    "lod_initial_resolution": 4,
    "lod_training_kimg": 1.0,
    "lod_transition_kimg": 1.0,
    "fmap_max": 8,
    "nz": 8,
    "nw": 8,
    "mapping_layers": 2,
    "mapping_fmaps": 8,
}


def make(**changes: Any) -> StyleGAN:
    """Small, and moved away from where networks begin, where all styles are the same."""
    torch.manual_seed(0)
    config = Config.from_mapping(SMALL | changes)
    method = StyleGAN(config, {"pictures": 3}, ("cat", "dog") if config.conditional else ())
    for p in (*method.G.parameters(), *method.D.parameters()):
        p.data += 0.1 * torch.randn_like(p)
    if "G" in method.averages:
        method.update_averages(0.0)
    return method


def batch(count: int = 4, size: int = 16) -> dict[str, Tensor]:
    return {"pictures": torch.rand(count, 3, size, size) * 2 - 1}


def at(method: StyleGAN, kimg: float) -> StyleGAN:
    method.plan(Clock(100, images=round(kimg * 1000)))
    return method


# Growing


@pytest.mark.parametrize(("kimg", "part"), [(0.5, 1 / 4), (2.5, 1 / 2), (9, 1)])
@pytest.mark.parametrize("penalty", ["r1_gamma", "r2_gamma", "gp"])
def test_penalties_at_a_small_size_are_those_of_enlarged_pictures(kimg, part, penalty):
    """As in the published code, whose D is given the full size at all times."""
    weights = {"r1_gamma": 0, penalty: 3}
    method = at(make(**weights), kimg)
    x = batch()["pictures"]
    before = copy.deepcopy(method)
    torch.manual_seed(1)
    losses = method.step({"pictures": x})
    torch.manual_seed(1)
    x_ = before.drawn(4, None).detach()
    real, fake = (upscaled(p, round(1 / part)) for p in (before.shown(x), x_))
    wanted = {
        "r1_gamma": lambda: 3 * r1(before.D, real),
        "r2_gamma": lambda: 3 * r2(before.D, fake),
        "gp": lambda: 3 * gradient_penalty(before.D, real, fake),
    }[penalty]()
    torch.testing.assert_close(losses[f"D_{penalty.removesuffix('_gamma')}"], wanted.detach())
    assert x_.shape[2] == 16 * part


@pytest.mark.parametrize("kimg", [0.5, 1.25, 2, 3.75, 4])
def test_real_pictures_are_brought_to_size_and_faded_as_generated_ones(kimg):
    method, x = at(make(), kimg), batch()["pictures"]
    shown = method.shown(x)
    assert shown.shape == method.drawn(4, None).shape
    small = downscaled(x, 16 // shown.shape[2])
    fade = method.lod % 1
    wanted = small + fade * (upscaled(downscaled(small)) - small)
    torch.testing.assert_close(shown, wanted)


def moments(method: StyleGAN) -> set[str]:
    return {name for name, optimizer in method.optimizers.items() if optimizer.state}


def test_moments_are_forgotten_where_fading_begins_and_ends():
    method, forgotten = make(), []
    for images in range(0, 6000, 250):
        method.step(batch())
        assert moments(method) == {"G", "D"}
        method.plan(Clock(100, images=images))
        if not moments(method):
            forgotten.append(images)
    # Behind 1000 and 3000 images fading begins, at 2000 and 4000 it ends.
    assert forgotten == [1250, 2000, 3250, 4000]


def test_moments_can_be_kept():
    method = make(reset_opt_for_new_lod=False)
    method.step(batch())
    assert moments(at(method, 1.5)) == {"G", "D"}


def test_both_networks_and_the_average_work_at_the_size_of_the_clock():
    method = at(make(), 1.5)
    found = {network.lod for network in (method.G, method.D, method.network)}
    assert found == {1.5}
    assert method.network is not method.G
    assert method.progress() == {"lod": 1.5}


def test_rates_by_resolution_reach_the_optimizers():
    method = make(lr_dict="8:0.5", lr_dict_D="8:0.25")
    for kimg, rates in ((0, (0.001, 0.001)), (1.5, (0.5, 0.25)), (9, (0.001, 0.001))):
        at(method, kimg).set_rate(1.0)
        assert tuple(o.param_groups[0]["lr"] for o in method.optimizers.values()) == rates


def test_only_layers_of_the_current_size_learn():
    method = at(make(), 0)
    before = copy.deepcopy(method.state_dict())
    method.step(batch())
    moved = {k for k, v in method.state_dict().items() if not torch.equal(v, before[k])}
    assert "G.to_rgb.0.weight" in moved
    assert not {k for k in moved if k.startswith(("G.to_rgb.1", "G.layers.1.", "D.blocks"))}


# Styles


def test_the_mean_style_moves_at_each_players_turn():
    method = make(w_avg_beta=0.5)
    seen = []
    track = method.G.track

    def watched(w: Tensor, beta: float) -> None:
        seen.append(len(w))
        track(w, beta)

    method.G.track = watched
    method.step(batch(3))
    assert seen == [3, 3]
    assert method.G.w_avg.abs().sum() > 0


def test_the_average_halves_its_distance_in_its_half_life():
    """With the published formula: 0.5 ^ (minibatch / half-life), from the first image on."""
    method, (minibatch, half_life) = make(), (50, 1000)
    target = method.G.first.constant
    target.data.fill_(3.0)
    kept = method.network.first.constant
    kept.data.fill_(1.0)
    for _ in range(half_life // minibatch):
        method.update_averages(0.5 ** (minibatch / half_life))
    torch.testing.assert_close(kept, torch.full_like(kept, 2.0))
    method.G.w_avg.fill_(7.0)
    method.update_averages(0.5)
    assert torch.equal(method.network.w_avg, method.G.w_avg)


@pytest.mark.parametrize("kimg", [0, 9])
def test_styles_are_mixed_as_often_as_told_from_a_random_layer_on(kimg):
    method, crossovers = at(make(style_mixing_prob=0.5), kimg), []
    layers = 2 * (method.G.stage + 1)

    def watched(module: object, given: tuple[Tensor]) -> None:
        (styles,) = given
        same = [torch.equal(styles[:, n], styles[:, 0]) for n in range(layers)]
        crossovers.append(same.index(False) if False in same else layers)
        assert not any(same[crossovers[-1] :])

    method.G.register_forward_pre_hook(watched)
    with torch.no_grad():
        for _ in range(300):
            method.drawn(1, None)
    mixed = [c for c in crossovers if c < layers]
    assert set(mixed) == set(range(1, layers))
    assert 110 < len(mixed) < 190


def test_styles_are_not_mixed_where_that_is_turned_off():
    method = at(make(style_mixing_prob=0), 9)
    calls = []
    method.G.mapping.register_forward_pre_hook(lambda *given: calls.append(1))
    method.drawn(2, None)
    assert len(calls) == 1


# Use


def test_a_seeds_picture_is_its_own_in_any_company():
    method = make().use(truncation=0.6, noise="random")
    alone, together = method.generate_tensor([3]), method.generate_tensor([9, 3, 4])
    torch.testing.assert_close(alone[0], together[1], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(together[0], together[1])


def test_pictures_are_of_the_full_size_while_it_grows():
    for kimg in (0, 1.5, 2, 9):
        x = at(make(), kimg).generate_tensor([0, 1])
        assert x.shape == (2, 3, 16, 16)
    x = at(make(), 0).generate_tensor([0])
    assert torch.equal(x[:, :, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3), x)


def test_truncation_zero_is_the_mean_for_all_seeds():
    method = at(make(), 9)
    method.network.w_avg.normal_()
    method.use(truncation=0)
    few = method.generate_tensor([1, 2])
    torch.testing.assert_close(few[0], few[1])
    partly = method.use(truncation=0, cutoff=2).generate_tensor([1, 2])
    assert not torch.allclose(partly[0], partly[1])
    plain = method.use().generate_tensor([1])
    torch.testing.assert_close(method.use(truncation=1).generate_tensor([1]), plain)


def test_the_cutoff_is_eight_layers_where_it_is_left_out():
    method = at(make(size="64"), 99)
    method.network.w_avg.normal_()
    left_out, eight, all_ = (
        method.use(truncation=0.5, cutoff=cutoff).generate_tensor([1]) for cutoff in (None, 8, 10)
    )
    assert torch.equal(left_out, eight)
    assert not torch.equal(left_out, all_)


def test_noise_modes_differ():
    method = at(make(), 9)
    found = [
        method.use(noise=mode).generate_tensor([1, 2]) for mode in ("const", "random", "none", None)
    ]
    assert torch.equal(found[0], found[3])
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert torch.equal(method.use(noise="random").generate_tensor([1, 2]), found[1])


def test_previews_are_not_truncated_or_drawn_anew():
    method = at(make(previews=3), 9)
    first, second = (method.preview({})["fake"] for _ in range(2))
    assert torch.equal(first, second)
    torch.testing.assert_close(first, method.generate_tensor(range(3)))


def test_classes_are_learnt_and_shown():
    method = make(conditional=True)
    labelled = batch() | {"labels": torch.tensor([0, 1, 1, 0])}
    before = method.G.mapping.label
    assert before is not None
    before = before.detach().clone()
    method.step(labelled)
    assert method.G.mapping.label is not None
    assert not torch.equal(before, method.G.mapping.label)
    method.update_averages(0.0)
    cat, dog = (method.generate_tensor([5], name) for name in ("cat", "dog"))
    assert not torch.allclose(cat, dog)
    torch.testing.assert_close(method.generate_tensor([5]), dog)
    with pytest.raises(InputError, match="there is no such class"):
        method.generate_tensor([5], "emu")


@pytest.mark.parametrize(
    ("look", "said"),
    [
        ({"truncation": float("nan")}, "--truncation nan"),
        ({"cutoff": -1, "truncation": 0.5}, "--truncation-cutoff -1"),
        ({"cutoff": 4}, "add --truncation 0.7"),
        ({"noise": "loud"}, "--noise-mode loud: must be one of"),
    ],
)
def test_choices_that_are_none_are_refused(look, said):
    with pytest.raises(InputError, match=said):
        make().use(**look)


def test_a_method_without_styles_refuses_them():
    method = DCGAN(DCGANConfig(size="16", ngf=2, ndf=2), {"pictures": 3})
    with pytest.raises(InputError, match=r"--truncation 0\.7: dcgan has none; leave it out"):
        method.use(truncation=0.7)
    assert method.use() is method


# Settings


@pytest.mark.parametrize("name", Config.presets)
def test_a_preset_is_a_training(name):
    config = Config.from_mapping({"preset": name} | dict(Config.presets[name]))
    assert config.pyramid.last >= 3
    assert config.lod_at(round(config.span.amount * 1000)) == 0


def test_presets_of_the_paper_are_its_networks():
    for name in ("paper256", "paper1024"):
        config = Config.from_mapping(dict(Config.presets[name]))
        assert (config.nz, config.nw, config.mapping_layers) == (512, 512, 8)
        assert (config.fmap_base, config.fmap_max) == (8192, 512)
        assert (config.objective, config.r1_gamma, config.ema) == ("logistic", 10, "10kimg")
        assert (config.beta1, config.beta2, config.duration) == (0.0, 0.99, "25000kimg")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"nw": 0}, "--nw 0"),
        ({"mapping_layers": 0}, "--mapping-layers 0"),
        ({"mapping_lr_mul": 0}, "--mapping-lr-mul 0"),
        ({"style_mixing_prob": 1.5}, "--style-mixing-prob 1.5"),
        ({"w_avg_beta": 1}, "--w-avg-beta 1"),
        ({"beta2": 1}, "--beta2 1"),
        ({"channels": 0}, "--channels 0"),
        ({"preprocess": "none"}, "--preprocess none"),
        ({"preset": "huge"}, "--preset huge: must be one of tiny, small"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(InputError, match=said):
        Config.from_mapping(settings)


def test_classes_that_are_not_there_are_asked_for():
    with pytest.raises(InputError, match="wants a folder for each class"):
        StyleGAN(Config.from_mapping(SMALL | {"conditional": True}), {"pictures": 3})


def test_batch_sizes_by_resolution_are_said():
    found = make(minibatch_dict="4:8,8:4").notes
    assert any("batch sizes by resolution are 8 at 4, 4 at 8, 4 at 16" in note for note in found)
    assert not any("minibatch" in note for note in make(batch_size=3).notes)


def test_noise_of_a_latent_is_normal():
    method = at(make(), 9)
    styles = method.latents([1])
    (noise,) = noise_of(styles, [(64, 64)])
    assert noise.shape == (1, 1, 64, 64)
    assert abs(float(noise.mean())) < 0.05
    assert abs(float(noise.std()) - 1) < 0.05
    assert not np.allclose(noise, noise_of(method.latents([2]), [(64, 64)])[0])
