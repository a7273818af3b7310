"""Results of a measurement on disk. In: a document and where it belongs. Out: a JSON file, whole or not at all; or the same
text to a device, a pipe or through a link, none of which may be replaced by a file."""

from __future__ import annotations

import json
import pathlib


def keep(document: dict, path: pathlib.Path) -> None:
    """A stop may come at any time: what was there before stays until the new file is complete."""
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if path.is_symlink() or (path.exists() and not path.is_file()):
        path.write_text(text)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_text(text)
    draft.replace(path)
