"""Whether tests take their long forms: `make soak` sets PORTAL_TESTS_LONG, and whoever has minutes may."""

import os

LONG = "PORTAL_TESTS_LONG" in os.environ
