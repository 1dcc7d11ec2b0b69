"""What is said to a user whose input is at fault: one plain sentence, no traceback."""

DONE, INPUT_AT_FAULT, INTERRUPTED = 0, 2, 130
"""Exit statuses."""


class InputError(Exception):
    """The user's input is at fault: one sentence that says what, where, and how to mend it.

    The command line prints it and exits with status 2.
    """


class Diverged(InputError):
    """Training met nothing but non-finite gradients for many steps in a row."""


def did_you_mean(word: str, known: list[str]) -> str:
    """A trailing hint such as ` (did you mean 'cyclegan'?)`, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
