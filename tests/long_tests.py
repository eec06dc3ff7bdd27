"""Whether tests take their long forms: `make soak` sets PORTAL_TESTS_LONG."""

import os

LONG = "PORTAL_TESTS_LONG" in os.environ
