"""Runs a notebook from top to bottom and writes it with what came out, and its pictures under the names of their cells.

usage: execute.py NOTEBOOK EXECUTED [PICTURES]
"""

import base64
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config


def pictures(notebook):
    """Names and bytes of the pictures."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            picture = output.get("data", {}).get("image/png")
            if picture:
                yield f"{cell.id}.png", base64.b64decode(picture)


notebook = nbformat.read(sys.argv[1], as_version=4)
# Sockets in a folder rather than ports, which others could read.
config = Config({"KernelManager": {"transport": "ipc"}})
NotebookClient(notebook, kernel_name="python3", timeout=600, startup_timeout=600, config=config).execute()
nbformat.write(notebook, sys.argv[2])
for folder in map(Path, sys.argv[3:]):
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures(notebook):
        (folder / name).write_bytes(picture)
