#!/usr/bin/env python3
"""Checks deny.toml's rules on licences, sources, wildcards and bans against `cargo metadata`, offline.

    check-policy.py [METADATA.json]     without an argument, cargo is asked

Prints one line per violation and exits with 1 if there is any. Several versions of one crate are only mentioned, as
deny.toml wants it. cargo-deny itself checks more (advisories, licence texts); this needs nothing but Python 3.11 and cargo.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    policy = tomllib.loads((ROOT / "deny.toml").read_text())
    metadata = json.loads(pathlib.Path(arguments[0]).read_text()) if arguments else ask_cargo(policy)
    packages = metadata["packages"]
    violations = [*check_licences(packages, policy), *check_sources(packages), *check_bans(packages, policy)]
    for line in several_versions(packages):
        print(f"check-policy.py: note: {line}")
    for line in violations:
        print(f"check-policy.py: {line}", file=sys.stderr)
    if not violations:
        print(f"check-policy.py: {len(packages)} packages keep to deny.toml")
    return 1 if violations else 0


def ask_cargo(policy: dict) -> dict:
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--offline"]
    for target in policy["graph"]["targets"][:1]:  # the others' packages may not be downloaded
        command += ["--filter-platform", target]
    try:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        sys.exit("check-policy.py: cargo is missing; run scripts/install-deps.sh")
    if ended.returncode != 0:
        reason = next((line for line in ended.stderr.splitlines() if line.startswith("error")), "no message")
        sys.exit(f"check-policy.py: cargo metadata failed ({reason}); run `cargo fetch` once and try again")
    return json.loads(ended.stdout)


def check_licences(packages: list[dict], policy: dict) -> list[str]:
    allowed = set(policy["licenses"]["allow"])
    violations = []
    for package in packages:
        expression = package["license"]
        name = f"{package['name']} {package['version']}"
        if not expression:
            violations.append(f"{name} states no licence")
            continue
        try:
            if not satisfied(expression, allowed):
                violations.append(f"{name}: licence {expression} is not allowed by deny.toml")
        except ValueError as error:
            violations.append(f"{name}: licence {expression} cannot be read ({error})")
    return violations


def satisfied(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression can be met with the allowed licences. AND binds tighter than OR; old manifests write
    a slash for OR."""
    words = re.findall(r"[()]|[^\s()/]+|/", expression)
    position = 0

    def peek() -> str:
        return words[position] if position < len(words) else ""

    def take() -> str:
        nonlocal position
        position += 1
        return words[position - 1] if position <= len(words) else ""

    def either() -> bool:
        value = both()
        while peek() in ("OR", "/"):
            take()
            value = both() or value
        return value

    def both() -> bool:
        value = single()
        while peek() == "AND":
            take()
            value = single() and value
        return value

    def single() -> bool:
        word = take()
        if word == "(":
            value = either()
            if take() != ")":
                raise ValueError("a bracket is not closed")
            return value
        if word in ("", ")", "OR", "AND", "WITH", "/"):
            raise ValueError("a licence is missing")
        if peek() == "WITH":
            take()
            word = f"{word} WITH {take()}"
        return word in allowed

    value = either()
    if position != len(words):
        raise ValueError(f"{peek()} is unexpected")
    return value


def check_sources(packages: list[dict]) -> list[str]:
    """Everything comes from this workspace or from the one default registry; no dependency names another."""
    violations = []
    registries = set()
    for package in packages:
        source = package["source"]
        name = f"{package['name']} {package['version']}"
        if source is None:
            if not pathlib.Path(package["manifest_path"]).resolve().is_relative_to(ROOT):
                violations.append(f"{name} comes from a path outside the workspace")
        elif source.startswith("registry+") or source.startswith("sparse+"):
            registries.add(source)
        else:
            violations.append(f"{name} does not come from a registry")
        for dependency in package["dependencies"]:
            if dependency.get("registry"):
                violations.append(f"{name} takes {dependency['name']} from a registry of its own choice")
    if len(registries) > 1:
        violations.append("packages come from more than one registry")
    return violations


def check_bans(packages: list[dict], policy: dict) -> list[str]:
    bans = policy["bans"]
    denied = {entry if isinstance(entry, str) else entry.get("crate") or entry["name"] for entry in bans.get("deny", [])}
    violations = [f"{package['name']} is banned by deny.toml" for package in packages if package["name"] in denied]
    if bans.get("wildcards") == "deny":
        for package in packages:
            for dependency in package["dependencies"] if package["source"] is None else ():
                if dependency["req"] == "*" and not dependency.get("path"):
                    violations.append(f"{package['name']} accepts any version of {dependency['name']}")
    return violations


def several_versions(packages: list[dict]) -> list[str]:
    versions: dict[str, list[str]] = {}
    for package in packages:
        versions.setdefault(package["name"], []).append(package["version"])
    return [f"{name} is there in versions {', '.join(sorted(v))}" for name, v in sorted(versions.items()) if len(v) > 1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
