"""The chart: CPU time by workload, MemGuard against peers, on a logarithmic axis. In: stored data. Out: docs/performance.svg."""

from __future__ import annotations

import json
import pathlib
import sys

# Run by Debian's Python where the harness's own has no matplotlib: `chart.py FILE.json FILE.svg`.
if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benchmark import judge, table
from benchmark.variant import TITLES

SHOWN = {
    "guard": ("#1f77d0", "D", 9),
    "aggressive": ("#e0822b", "D", 8),
    "heaptrack": ("#8a8a8a", "s", 6),
    "memcheck": ("#8a8a8a", "X", 7),
    "jemalloc_prof": ("#3f9d5b", "o", 6),
    "gperftools": ("#3f9d5b", "^", 6),
    "lsan": ("#b0609c", "v", 6),
    "memray": ("#b0609c", "P", 7),
}
GREY = "#808080"  # seen on white and on black


def draw(data: dict, path: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "memguard", "font.size": 10, "text.color": GREY})
    from matplotlib import pyplot, ticker

    rows = list(reversed(table.rows_of(data)))
    figure, axes = pyplot.subplots(figsize=(9, 1.3 + 0.3 * len(rows)))
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    costs = [judge.of_row(row, workload, data["start_and_end"]) for row, workload in rows]
    for name, (colour, marker, size) in SHOWN.items():
        points = [(max(c[name][0], 0.1), y) for y, c in enumerate(costs) if name in c]
        if points:
            on_top = 3 if name in ("guard", "aggressive") else 2
            xs, ys = zip(*points)
            axes.plot(xs, ys, marker, color=colour, markersize=size, label=TITLES.get(name, name), zorder=on_top, alpha=0.9)
    axes.set_xscale("log")
    axes.axvline(1, color=GREY, linewidth=1)
    axes.xaxis.set_major_locator(ticker.FixedLocator([0.3, 0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200]))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}×"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_yticks(range(len(rows)), [workload.title for _, workload in rows])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.tick_params(colors=GREY, length=0)
    axes.grid(color=GREY, alpha=0.2, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("CPU time × plain program", color=GREY)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncol=4, frameon=False, labelcolor=GREY)
    figure.savefig(path, bbox_inches="tight", transparent=True, **({"metadata": {"Date": None}} if path.suffix == ".svg" else {"dpi": 90}))


if __name__ == "__main__":
    draw(json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2]))
