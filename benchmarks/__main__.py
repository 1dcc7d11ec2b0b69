"""`python -m benchmarks NAME ...` measures; without a name it lists what there is."""

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

from benchmarks.cases import CASES
from benchmarks.tables import Options, Table, as_json, where
from ganvas.engine import checked
from ganvas.errors import InputError


def setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text}: wants NAME=VALUE")
    return name, yaml.safe_load(value)


def options_of(given: argparse.Namespace) -> Options:
    return Options(
        rounds=given.rounds,
        threads=given.threads,
        device=given.device,
        precision=given.precision,
        batch_size=given.batch_size,
        settings=dict(given.settings),
    )


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases, or all")
    parser.add_argument("--rounds", type=int, help="turns of each side; left out: the case's own")
    parser.add_argument("--threads", type=int, default=1, help="of each process (1)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"), help="of ganvas")
    parser.add_argument("--batch-size", type=int, help="left out: the case's own")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
        dest="settings",
        metavar="NAME=VALUE",
        help="a setting of ganvas that its yardstick does not have",
    )
    parser.add_argument("--out", type=Path, help="a JSON file of all figures")
    given = parser.parse_args()
    names = given.names
    if not names:
        for name, case in CASES.items():
            print(f"{name:<18} {(case.__doc__ or '').partition(chr(10))[0]}")
        return
    names = list(CASES) if names == ["all"] else names
    if unknown := [name for name in names if name not in CASES]:
        parser.error(f"{unknown[0]}: there is no such case; there is {', '.join(CASES)}")
    try:
        checked(given.device)
    except InputError as error:
        parser.error(str(error))
    options, tables = options_of(given), list[Table]()
    print("; ".join(where(options).values()), flush=True)
    for name in names:
        for table in CASES[name](options):
            # Rows of one table may come from several cases.
            goes_on = bool(tables) and tables[-1].title == table.title
            print(table.lines() if goes_on else f"\n{table.markdown()}", flush=True)
            tables.append(table)
    if given.out:
        given.out.write_text(json.dumps(as_json(tables, options), indent=1) + "\n")


if __name__ == "__main__":
    main()
