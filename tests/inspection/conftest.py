"""Figures are closed when a test is over."""

import pytest
from matplotlib import pyplot


@pytest.fixture
def closed_figures():
    yield
    pyplot.close("all")
