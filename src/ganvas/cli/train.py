"""`ganvas train METHOD --data SOURCE`: one command a method, its options made from its Config."""

import inspect
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args

from cyclopts import App, Group, Parameter

from ganvas.cli.numbers import strictly
from ganvas.methods import METHODS

app = App(name="train", help="Train a method on pictures; leaves a run directory.")
for _name in METHODS:
    app.command(f"ganvas.cli.train:{_name}", name=_name, help=f"Train {_name}.")


def __getattr__(name: str) -> Callable[..., None]:
    """The command of a method, made when it is asked for: torch is imported only then."""
    if name not in METHODS:
        raise AttributeError(name)
    return command_of(name)


def command_of(method: str) -> Callable[..., None]:
    """A function whose keyword parameters are the method's options, for cyclopts to read."""
    from ganvas.config import option_name, options_of, read_settings_file
    from ganvas.methods import method_class

    kind = method_class(method)

    def command(**given: Any) -> None:
        from ganvas.progress import Bar, stopped_well
        from ganvas.training import dry_run, settings_of, train

        file, dry = given.pop("config", None), given.pop("dry_run", False)
        settings = read_settings_file(file) if file else {}
        kind.Config.from_mapping(settings, f"--config {file}")  # so that its faults name it
        settings = {k.replace("-", "_"): v for k, v in settings.items()}
        settings |= {name: value for name, value in given.items() if value is not None}
        with Bar() as bar:
            config = settings_of(method, settings, bar.said)
            if dry:
                dry_run(method, config, bar)
                return
            with stopped_well(bar):
                run = train(method, config, bar)
            bar.say(f"report:    {run.path / 'report.html'}")
            bar.say(f"snapshot:  {run.snapshots / 'latest'}")

    groups: dict[str, Group] = {}
    parameters = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                optional(option.kind),
                Parameter(
                    name=f"--{option_name(option.name)}",
                    help=f"{option.help} [default: {shown(option.default)}]",
                    group=groups.setdefault(
                        option.group, Group(option.group, sort_key=len(groups))
                    ),
                    converter=strictly if is_number(option.kind) else None,
                    negative_none=(),
                ),
            ],
        )
        for option in options_of(kind.Config)
    ]
    extra = {
        "config": (Path | None, None, "A YAML file of settings; options given here win over it."),
        "dry_run": (
            bool,
            False,
            "Take a few steps, say what memory and time the training would take, write nothing.",
        ),
    }
    parameters += [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[
                kind_, Parameter(name=f"--{option_name(name)}", help=text, negative=())
            ],
        )
        for name, (kind_, default, text) in extra.items()
    ]
    command.__name__ = method
    command.__doc__ = inspect.cleandoc(f"""Train {method}.

    {inspect.cleandoc(kind.__doc__ or "").splitlines()[0]}
    """)
    command.__signature__ = inspect.Signature(parameters)  # pyright: ignore
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def is_number(kind: Any) -> bool:
    return bool({int, float} & {kind, *get_args(kind)})


def optional(kind: Any) -> Any:
    return kind if NoneType in get_args(kind) else kind | None


def shown(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return "none" if default in (None, "") else f"{default}"
