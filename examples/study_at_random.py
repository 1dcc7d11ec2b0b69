"""Take part in a study that `ganvas study RUN` holds, with answers by chance.

Of a participant who only guesses about half of all generated pictures are taken for real: the
interval of the result contains 50 % in 19 of 20 studies. Catch trials are guessed too, so that
`ganvas study RUN --summary` needs `--keep-inattentive` to count such a participant.
"""

import argparse
import json
from random import Random
from typing import Any
from urllib.request import Request, urlopen


def take_part(url: str, chance: Random, name: str = "") -> dict[str, Any]:
    """One session from the first to the last trial: what the thanks page would show."""
    session = post(url, "begin", name=name)["session"]
    while not (trial := post(url, "trial", session=session)).get("done"):
        for place in ("first", "second"):
            with urlopen(url + trial[place], timeout=30) as picture:
                picture.read()
        said = {"trial": trial["at"], "answer": chance.choice(["first", "second"])}
        # Nobody has looked: no picture was on any screen.
        post(url, "answer", session=session, **said, reaction_ms=0, shown_ms=[0, 0])
    return trial


def post(url: str, what: str, **content: Any) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    request = Request(f"{url}/api/{what}", json.dumps(content).encode(), headers)
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8765")
    parser.add_argument("--participants", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for number in range(given.participants):
        chance = Random(f"{given.seed} {number}")
        result = take_part(given.url, chance, name=f"chance {given.seed}.{number}")
        print(
            f"participant {number}: fooled in {result['fooled']} of {result['of']} trials, 95 % "
            f"interval {result['low']} to {result['high']} %"
        )
