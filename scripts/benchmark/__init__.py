"""The parts of scripts/bench.py, one noun each. In: its options. Out: measured rows, tables, a chart."""
