"""`python -m benchmarks [login] [timing] [throttle] [importing]`: run these benchmarks, or all."""

import argparse

from benchmarks import importing, login, throttle, timing

BENCHMARKS = {"login": login.run, "timing": timing.run, "throttle": throttle.run, "importing": importing.run}


def main() -> None:
    """Run the named benchmarks one after another, since two at once would disturb each other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the portal.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(BENCHMARKS)}; default: all")
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := set(names) - BENCHMARKS.keys():
        parser.error(f"there is no benchmark {min(unknown)!r}")
    for name in names:
        BENCHMARKS[name]()
        print(flush=True)


if __name__ == "__main__":
    main()
