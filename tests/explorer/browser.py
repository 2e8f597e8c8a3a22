"""Which tests need a browser, and what happens where there is none."""

import os

import pytest

from helpers.browser import CHROMIUM

MUST_RUN = os.environ.get("PROTSAE_CI") == "1"
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not MUST_RUN, reason="NO CHROMIUM: the explorer's page is not tested in a browser"
)
