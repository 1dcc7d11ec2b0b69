"""The methods by name, in the order in which they are listed. A new GAN is one file here, and one
line in this dict."""

from importlib import import_module

from ganvas.errors import InputError, did_you_mean

METHODS = {
    "cyclegan": "ganvas.methods.cyclegan:CycleGAN",
    "pix2pix": "ganvas.methods.pix2pix:Pix2Pix",
    "cut": "ganvas.methods.cut:CUT",
    "fastcut": "ganvas.methods.cut:FastCUT",
    "discogan": "ganvas.methods.discogan:DiscoGAN",
    "dualgan": "ganvas.methods.dualgan:DualGAN",
    "dcgan": "ganvas.methods.dcgan:DCGAN",
    "stylegan": "ganvas.methods.stylegan:StyleGAN",
    "r3gan": "ganvas.methods.r3gan:R3GAN",
    "stargan": "ganvas.methods.stargan:StarGAN",
    "bigan": "ganvas.methods.bigan:BiGAN",
    "cogan": "ganvas.methods.cogan:CoGAN",
    "featgan": "ganvas.methods.featgan:FeatGAN",
    "simgan": "ganvas.methods.simgan:SimGAN",
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
