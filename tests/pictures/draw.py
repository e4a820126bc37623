#!/usr/bin/env python3
"""Draws the pictures of the documents: docs/img/NAME.svg from docs/img/NAME.json, where a picture has data.

draw.py [--dark DIRECTORY] [NAME...]: all pictures, or these; with --dark, in dark colours, into that directory.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[2] / "docs/img"
PICTURES = ["overview", "layers", "walls"]


def main(arguments):
    into, dark = IMAGES, arguments[:1] == ["--dark"]
    if dark:
        into, arguments = Path(arguments[1]), arguments[2:]
    for name in arguments or PICTURES:
        data = IMAGES / f"{name}.json"
        values = json.loads(data.read_text()) if data.exists() else None
        picture = import_module(name.replace("-", "_")).draw(values, dark)
        (into / f"{name}.svg").write_text(str(picture))


main(sys.argv[1:])
