"""Test suites that others wrote, and how each is run and read. Names and order are those of the command line."""

from suites import cpython, git, redis, sqlite, stress_ng

ALL = {suite.name: suite for suite in (cpython.CPython(), stress_ng.StressNg(), git.Git(), sqlite.Sqlite(), redis.Redis())}
