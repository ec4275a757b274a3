"""Order of the tests."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole commands last: what the other tests compiled is in the cache of the kernels by then."""
    items.sort(key=lambda item: "test_command_blocks" in item.nodeid)
