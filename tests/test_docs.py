"""The docs say what is so: commands in them parse, links lead somewhere, no option is left out."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
import torch
from cyclopts import App
from kinds import SMALL

from ganvas.cli import make_app
from ganvas.cli.spellings import accept_reference_spellings
from ganvas.config import Preprocess, option_name, options_of, read_settings_file
from ganvas.data.prepare import Preparation
from ganvas.methods import METHODS, method_class

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
THEIR_OPTIONS = ROOT / "docs" / "from-pytorch-CycleGAN-and-pix2pix.md"
SHELL_OPERATORS = {"|", "||", "&&", "&", ";", ">", ">>", "<"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(text: str, *languages: str) -> Iterator[tuple[str, str]]:
    """(language, content) of the fenced blocks in these languages."""
    for fence, language, content in re.findall(
        r"^ *(`{3,}|~{3,}) *(\w*)[^\n]*\n(.*?)^ *\1", text, re.MULTILINE | re.DOTALL
    ):
        assert fence
        if language in languages:
            yield language, content


def prose(text: str) -> str:
    return re.sub(r"^ *(`{3,}|~{3,}).*?^ *\1", "", text, flags=re.MULTILINE | re.DOTALL)


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words after `ganvas` of every command in a page, and in the head of a recipe."""
    text = page.read_text()
    if page.suffix == ".yaml":
        text = "```sh\n" + re.sub(r"^#", "", text, flags=re.MULTILINE) + "```"
    for language, content in blocks(text, "console", "sh", "bash"):
        for line in content.replace("\\\n", " ").splitlines():
            line = line.strip()
            if language == "console" and not line.startswith("$ "):
                continue  # what the command answers
            line = line.removeprefix("$ ").removeprefix(".venv/bin/")
            if not line.startswith("ganvas "):
                continue
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words = list(lexer)[1:]
            end = next((i for i, word in enumerate(words) if word in SHELL_OPERATORS), len(words))
            yield words[:end]


COMMANDS = [
    pytest.param(words, id=f"{named(page)}: {' '.join(words)}")
    for page in (*PAGES, *RECIPES)
    for words in command_lines(page)
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_in_the_docs_parses_and_its_settings_are_valid(words: list[str]):
    tokens = accept_reference_spellings(words)
    command, bound, _ = make_app().parse_args(tokens, exit_on_error=False, print_error=False)
    if words[0] == "train" and command.__name__ in METHODS:
        given = {name: value for name, value in bound.kwargs.items() if value is not None}
        file, _ = given.pop("config", None), given.pop("dry_run", None)
        settings = read_settings_file(ROOT / file) if file else {}
        method_class(command.__name__).Config.from_mapping(settings | given)


def test_there_are_commands_to_check():
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("method", METHODS)
def test_every_option_of_a_method_is_in_the_docs(method: str):
    text = "\n".join(page.read_text() for page in DOCS if page != THEIR_OPTIONS)
    names = [option_name(option.name) for option in options_of(method_class(method).Config)]
    missing = [name for name in names if not re.search(rf"--(no-)?{name}(?![\w-])", text)]
    assert not missing


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_a_page_that_names_its_own_options(method: str):
    text = (ROOT / "docs" / "methods" / f"{method}.md").read_text()
    config = method_class(method).Config
    own = [o.name for o in options_of(config) if o.group == options_of(config)[0].group]
    assert not [name for name in own if f"`--{option_name(name)}`" not in text]


@cache
def known_options() -> set[str]:
    """Every option of every command."""

    def below(app: App) -> set[str]:
        names = {name for name in app if not name.startswith("-")}
        if names:
            return set().union(*(below(app[name]) for name in names))
        return {name for argument in app.assemble_argument_collection() for name in argument.names}

    return below(make_app()) | {"--help", "--version"}


@pytest.mark.parametrize("page", [p for p in PAGES if p != THEIR_OPTIONS], ids=named)
def test_an_option_that_is_named_exists(page: Path):
    spans = re.findall(r"`(?:ganvas )?(--[A-Za-z][\w-]*)[^`]*`", prose(page.read_text()))
    assert not [option for option in spans if option not in known_options()]


@pytest.mark.parametrize("path", RECIPES, ids=named)
def test_a_recipe_is_a_training_of_its_method(path: Path):
    method = next(name for name in METHODS if path.stem.startswith(name))
    config = method_class(method).Config.from_mapping(read_settings_file(path), str(path))
    assert config.data


def test_the_streets_recipe_is_the_demo():
    spec = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    settings = {option.removeprefix("--"): value for option, value in demo.SETTINGS.items()}
    config = method_class("cyclegan").Config
    recipe = read_settings_file(ROOT / "recipes" / "cyclegan-streets.yaml")
    for name in ("seed", "duration", "preview_every"):
        del recipe[name]
    assert config.from_mapping(recipe) == config.from_mapping(settings)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_files_and_headings_that_exist(page: Path):
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", prose(file.read_text()), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles]
            assert anchor in slugs, target


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    pages = [str(page.relative_to(ROOT / "docs")) for page in DOCS]
    assert not [page for page in pages if f": {page}\n" not in navigation]


def test_the_navigation_names_no_page_that_is_not_there():
    for name in re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE):
        assert (ROOT / "docs" / name).is_file()


def test_pictures_come_to_the_sizes_that_the_docs_say():
    rows = re.findall(r"^\| `(\w+)` \| (\d+x\d+) \|", (ROOT / "docs/data.md").read_text(), re.M)
    assert {way for way, _ in rows} == set(get_args(Preprocess))
    for way, size in rows:
        config = method_class("cyclegan").Config.from_mapping({"preprocess": way})
        width, height = Preparation.of(config, config.stride).resized((300, 200))
        assert size == f"{width}x{height}", way


def test_the_method_in_contributing_takes_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    code = next(
        content
        for _, content in blocks((ROOT / "CONTRIBUTING.md").read_text(), "python")
        if "(OneWay)" in content
    )
    (tmp_path / "example_method.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("example_method")
    config = module.Config.from_mapping(SMALL["simgan"] | {"ema": "1kimg"})
    assert "lambda_reg" in [option.name for option in options_of(module.Config)]
    method = module.SimGAN(config, {"A": 3, "B": 3})
    batch = {domain: torch.rand(1, 3, 32, 32) * 2 - 1 for domain in method.domains}
    assert all(loss.isfinite() for loss in method.step(batch).values())
    assert method.translate(batch["A"][:, :, :31, :29]).shape == (1, 3, 31, 29)
