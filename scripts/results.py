"""Results of a measurement on disk. In: a document and where it belongs. Out: a JSON file, whole or not at all."""

from __future__ import annotations

import json
import pathlib


def keep(document: dict, path: pathlib.Path) -> None:
    """A stop may come at any time: what was there before stays until the new file is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    draft.replace(path)
