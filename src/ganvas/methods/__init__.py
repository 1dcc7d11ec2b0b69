"""The methods by name. A new GAN is one file here, and one line in this dict."""

from importlib import import_module

from ganvas.errors import InputError, did_you_mean

METHODS = {
    "bigan": "ganvas.methods.bigan:BiGAN",
    "cogan": "ganvas.methods.cogan:CoGAN",
    "cut": "ganvas.methods.cut:CUT",
    "cyclegan": "ganvas.methods.cyclegan:CycleGAN",
    "dcgan": "ganvas.methods.dcgan:DCGAN",
    "discogan": "ganvas.methods.discogan:DiscoGAN",
    "dualgan": "ganvas.methods.dualgan:DualGAN",
    "fastcut": "ganvas.methods.cut:FastCUT",
    "featgan": "ganvas.methods.featgan:FeatGAN",
    "pix2pix": "ganvas.methods.pix2pix:Pix2Pix",
    "r3gan": "ganvas.methods.r3gan:R3GAN",
    "simgan": "ganvas.methods.simgan:SimGAN",
    "stargan": "ganvas.methods.stargan:StarGAN",
    "stylegan": "ganvas.methods.stylegan:StyleGAN",
}


def method_class(name: str):
    """The class of that method, imported only now.

    Raises:
        InputError: there is no method of that name.
    """
    if name not in METHODS:
        raise InputError(
            f"there is no method {name!r}{did_you_mean(name, list(METHODS))}; "
            "`ganvas methods` lists them"
        )
    module, _, attribute = METHODS[name].partition(":")
    return getattr(import_module(module), attribute)
