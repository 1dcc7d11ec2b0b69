"""The command line: parse, call, print. One file a command; torch is imported only inside them."""

import os
import sys

from cyclopts import App, CycloptsError, MissingArgumentError, UnknownOptionError
from cyclopts.exceptions import UnusedCliTokensError

from ganvas.cli.spellings import accept_reference_spellings
from ganvas.errors import DONE, INPUT_AT_FAULT, INTERRUPTED, InputError

COMMANDS = {
    "train": ("train:app", "Train a method on pictures; leaves a run directory."),
    "resume": ("resume:resume", "Go on exactly where a run stopped."),
    "translate": ("translate:translate", "Put files, folders or globs through a trained run."),
    "generate": ("generate:generate", "Make pictures, or a film, from noise."),
    "project": ("project:project", "Find the latent or style that makes a picture."),
    "evaluate": ("evaluate:evaluate", "Judge a trained run by real pictures."),
    "import": ("importing:importing", "Take in weights of other projects, as a run."),
    "export": ("export:export", "Write a trained network for use without ganvas."),
    "study": ("study:study", "Ask people which of two pictures is real."),
    "compare": ("compare:compare", "Show runs side by side."),
    "bench": ("bench:bench", "Train a table of methods and lay the results side by side."),
    "report": ("report:report", "Write a run's report.html anew."),
    "data": ("data:app", "Look at picture sets, write built-in ones, fetch published ones."),
    "methods": ("methods:methods", "List the methods, and every option of one."),
}

TOGETHER = {"train", "resume", "translate", "evaluate"}
"""What several processes do together; all else the first of them does alone."""


def make_app() -> App:
    app = App(
        name="ganvas",
        help="Train, judge and ship generative adversarial networks.",
        help_epilogue="`ganvas COMMAND --help` says more. Docs: docs/ in the repository.",
        version_flags=["--version"],
        suppress_keyboard_interrupt=False,
    )
    for name, (place, about) in COMMANDS.items():
        app.command(f"ganvas.cli.{place}", name=name, help=about)
    return app


def main(argv: list[str] | None = None) -> int:
    """Run one command: the exit status. 0 done, 2 the input is at fault, 130 interrupted."""
    try:
        tokens = accept_reference_spellings(sys.argv[1:] if argv is None else argv)
        if tokens and left_to_the_first(tokens[0]):
            return DONE
        make_app()(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return complain(plainly(error))
    except InputError as error:
        return complain(str(error))
    except KeyboardInterrupt as interruption:
        say_once(str(interruption) or "ganvas: stopped")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output, `head` for instance, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


def plainly(error: CycloptsError) -> str:
    """Cyclopts's sentence; our own where that would leave the reader to guess the mend."""
    command = " ".join(["ganvas", *(error.command_chain or ())])
    more = f"`{command} --help` says more"
    if isinstance(error, UnusedCliTokensError):
        words = " ".join(error.unused_tokens or ())
        return f"{words}: belongs to no option of `{command}`; {more}"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        given = error.keyword or any(token.keyword for token in error.argument.tokens)
        name = error.keyword or error.argument.name
        return f"{name}: {'wants a value' if given else 'is missing'}; {more}"
    if isinstance(error, UnknownOptionError):
        return f"{error}; {more}".replace(".;", ";").replace("?;", "?")
    return str(error)


def complain(text: str) -> int:
    say_once(f"ganvas: {' '.join(text.split())}")
    return INPUT_AT_FAULT


def left_to_the_first(command: str) -> bool:
    """Whether this is one of several processes, of which the first does what is asked alone."""
    if command not in COMMANDS or command in TOGETHER or "WORLD_SIZE" not in os.environ:
        return False
    from ganvas.engine import place_among

    index, count = place_among()
    if index:
        print(f"ganvas: {command}: left to the first of {count} processes", file=sys.stderr)
    else:  # nor are there others for what it starts, as a bench starts trainings
        del os.environ["WORLD_SIZE"]
    return index > 0


def say_once(text: str) -> None:
    """On stderr; where several processes train together, by one for all."""
    if "WORLD_SIZE" not in os.environ:  # torch need not be there to say what is wrong with a word
        print(text, file=sys.stderr)
        return
    from ganvas.engine import one_voice

    with one_voice() as speaks:
        if speaks:
            print(text, file=sys.stderr, flush=True)


def entry() -> None:
    sys.exit(main())
