"""`ganvas study RUN`."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ganvas.cli.directions import Direction
from ganvas.cli.numbers import MaybeNumber, Whole, strictly

Number = Annotated[float, Parameter(converter=strictly)]


def study(
    run: Path,
    /,
    *,
    direction: Direction = None,
    data: str | None = None,
    pairing: Literal["same", "random"] | None = None,
    truncation: MaybeNumber = None,
    trials: Whole = 40,
    practice: Whole = 10,
    catch: Whole = 4,
    seconds: Number = 1.0,
    enlarge: Literal["smooth", "nearest"] = "smooth",
    pictures: Whole = 200,
    seed: Whole = 0,
    summary: bool = False,
    max_missed: Number = 0.25,
    keep_inattentive: bool = False,
    host: str = "127.0.0.1",
    port: Whole = 8765,
    device: str = "auto",
) -> None:
    """Ask people which of two pictures is real: the CycleGAN paper's test as a page on this
    machine. Ctrl-C ends it and prints what it comes to.

    Parameters
    ----------
    run
        A run directory, or a snapshot in it. Answers are stored in the run.
    direction
        Of a translator. Left out: the one that was learnt; of two AtoB.
    data
        The source of real pictures and of inputs: its test part, where it has one. Left out: what
        the run was trained on.
    pairing
        same shows a translation against the real counterpart of its input; random against any
        real picture. Left out: same where the data are pairs.
    truncation
        StyleGAN: how far styles are from their mean, psi. 1 where left out.
    trials
        Scored trials.
    practice
        Trials before them, with feedback.
    catch
        Trials among them that an attentive person gets right.
    seconds
        How long each picture is shown.
    enlarge
        How small pictures are enlarged: smooth, or nearest, pixels as squares.
    pictures
        So many real and as many generated pictures at most, to choose each participant's from.
    seed
        Which pictures, and in which order.
    summary
        Print what the run's studies come to, and do no more.
    max_missed
        Who answers more than this share of the catch trials wrong is not counted.
    keep_inattentive
        Count them all the same.
    host
        Where to listen. 0.0.0.0 lets other machines in.
    port
        0 takes any that is free.
    device
        cpu, cuda, mps; auto takes the fastest that is there.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

    from ganvas.bars import Watched
    from ganvas.evaluation.study.answers import checked_share, summarise
    from ganvas.evaluation.study.protocol import Protocol, seen_twice
    from ganvas.web.opening import Choice, alone, open_study, run_of
    from ganvas.web.study import Server, Study

    counting = (checked_share(max_missed), keep_inattentive)
    folder = run_of(run)
    if summary:
        print(summarise(folder, *counting))
        return
    protocol = Protocol(trials, practice, catch, seconds, seed, enlarge)
    choice = Choice(direction, data, pairing, truncation, pictures, device)
    with alone(folder), Server(host, port) as server:
        with Watched(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as progress:
            answers, found = open_study(run, protocol, choice, progress.track)
        counts = len(found.real), len(found.fake)
        print(
            f"{counts[0]} real and {counts[1]} generated pictures, {found.split} part, "
            f"{'x'.join(map(str, found.size))}; answers go to {answers.path}"
        )
        for note in found.notes:
            print(f"note: {note}")
        if twice := seen_twice(protocol, *counts, found.same):
            print(
                f"note: too few pictures for {protocol.length} trials: {twice} of them are shown "
                "more than once to each participant"
            )
        if not server.local:
            print(
                f"note: --host {host}: everyone who can reach this machine over the network can "
                "see these pictures and take part; nothing is encrypted"
            )
        server.study = Study(answers, found, *counting)
        print(f"open {server.url} in a browser; Ctrl-C ends the study", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
        print(f"\n{summarise(folder, *counting)}")
