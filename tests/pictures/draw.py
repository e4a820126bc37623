#!/usr/bin/env python3
"""Draws the pictures of the documents: docs/img/NAME.svg from docs/img/NAME.json, where a picture has data.

draw.py [--into DIRECTORY] [--dark] [NAME...]: all pictures, or these; into another directory; in dark colours alone.
"""

import json
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[2] / "docs/img"
PICTURES = ["overview", "layers", "jail-and-host", "walls", "session", "costs"]


def main():
    options = ArgumentParser()
    options.add_argument("--into", type=Path, default=IMAGES)
    options.add_argument("--dark", action="store_true")
    options.add_argument("names", nargs="*", default=PICTURES)
    given = options.parse_args()
    for name in given.names:
        data = IMAGES / f"{name}.json"
        values = json.loads(data.read_text()) if data.exists() else None
        picture = import_module(name.replace("-", "_")).draw(values, given.dark)
        (given.into / f"{name}.svg").write_text(str(picture))


main()
