"""--compile: training's calls go through torch.compile, and all else is as it was."""

import pytest
import torch
from kinds import batch_of, make

from ganvas import engine as engines
from ganvas.engine import Engine, seed_step
from ganvas.errors import InputError
from ganvas.methods import method_class

# torch.compile looks at the gradients of what it is given, and reads its own warning as an error.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")

PENALISED = {"r1_gamma": 1.0}


@pytest.fixture
def traced(monkeypatch):
    """torch.compile that only traces: what it finds is computed as ever, and at once."""
    compiled, made = torch.compile, list[str]()

    def eager(function):
        made.append(function.__qualname__)
        return compiled(function, backend="eager")

    monkeypatch.setattr(torch, "compile", eager)
    monkeypatch.setattr(Engine, "refuse_no_compiler", lambda engine: None)
    engines.compiled_in_training.cache_clear()
    yield made
    engines.compiled_in_training.cache_clear()
    torch.compiler.reset()


def stepped(compiled: bool, **changes):
    method = make(method_class("dcgan"), **changes)
    if compiled:
        Engine.start("cpu").compile(method.compilable())
    torch.manual_seed(1)
    batch = batch_of(method)
    losses = []
    for step in range(2):
        seed_step(0, step)
        losses.append(method.step(batch))
    return method, losses


@pytest.mark.parametrize("changes", [{}, PENALISED], ids=str)
def test_a_compiled_training_goes_the_same_way(traced, changes):
    plain, expected = stepped(False, **changes)
    method, found = stepped(True, **changes)
    kinds = {name.split(".")[0] for name in traced}
    assert kinds == {"GeneratorNetwork"} | ({"DiscriminatorNetwork"} if not changes else set())
    torch.testing.assert_close(found, expected)
    assert list(method.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(method.state_dict(), plain.state_dict(), rtol=1e-4, atol=1e-5)


def test_previews_are_made_without_it(traced):
    method = make(method_class("dcgan"))
    expected = method.preview({})["fake"]
    Engine.start("cpu").compile(method.compilable())
    assert torch.equal(method.preview({})["fake"], expected)


def test_it_is_said_that_penalised_discriminators_are_left_out():
    penalised = make(method_class("dcgan"), compile=True, **PENALISED)
    assert any("double backward" in note for note in penalised.notes)
    assert not any("--compile" in n for n in make(method_class("dcgan"), compile=True).notes)


def test_without_a_compiler_it_is_refused(monkeypatch):
    from torch._inductor import cpp_builder
    from torch._inductor.exc import InvalidCxxCompiler

    def none():
        raise InvalidCxxCompiler()

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    with pytest.raises(InputError, match=r"^--compile: wants a C\+\+ compiler"):
        Engine.start("cpu").compile([torch.nn.Identity()])


def test_it_does_not_go_with_activations_that_are_computed_again():
    with pytest.raises(InputError, match="--checkpoint-activations"):
        make(method_class("dcgan"), compile=True, checkpoint_activations=True)
