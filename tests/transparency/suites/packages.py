"""Debian's packages: which are missing, and the source of one, unpacked into the working folder.

The list of sources is made from the machine's own list of binaries and kept apart from it.
"""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess

from suites.suite import SuiteError

TARGETS = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"


def missing(names: tuple[str, ...]) -> list[str]:
    """Packages that are not installed."""
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names]
    text = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    return sorted(set(names) - {line.split()[0] for line in text.splitlines() if line.endswith(" installed")})


def source(package: str, folder: pathlib.Path) -> pathlib.Path:
    """The unpacked source of a package in the version that the machine would install."""
    into = folder / f"source-{package}"
    done = into / "unpacked"
    if not done.exists():
        fetch(package, folder / "apt", into)
        done.touch()
    return next(path for path in into.iterdir() if path.is_dir())


def fetch(package: str, apt: pathlib.Path, into: pathlib.Path) -> None:
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    (apt / "lists/partial").mkdir(parents=True, exist_ok=True)
    sources = apt / "sources.list"
    options = ["-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=/dev/null", "-o", f"Dir::State::lists={apt}/lists",
               "-o", "APT::Sandbox::User=root"]
    if not sources.exists():
        targets = command(["apt-get", "indextargets", "--format", TARGETS, "Created-By: Packages", "Origin: Debian"], apt)
        lines = sorted({"deb-src {} {} {}".format(*line.split("|")) for line in targets.splitlines()})
        if not lines:
            raise SuiteError("apt knows no Debian package; run apt-get update, then this again")
        sources.write_text("\n".join(lines) + "\n")
        command(["apt-get", "-q", *options, "update"], apt)
    command(["apt-get", "-q", *options, "source", package], into)


def build(arguments: list[str], folder: pathlib.Path) -> None:
    """Builds something in an unpacked source; its output is shown only if it fails."""
    command(["nice", *arguments], folder)


def remove(folder: pathlib.Path) -> None:
    """Removes a folder, also where tests took rights away."""
    if folder.exists():
        subprocess.run(["chmod", "-R", "u+rwx", str(folder)], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def command(arguments: list[str], folder: pathlib.Path) -> str:
    ended = subprocess.run(arguments, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        errors = re.findall(r"^(?:E:|.*error:).*$", ended.stderr, re.MULTILINE)
        reason = errors[0] if errors else (ended.stderr or ended.stdout).strip()[-200:]
        raise SuiteError(f"`{' '.join(arguments[:4])}` failed in {folder.name}: {reason}")
    return ended.stdout
