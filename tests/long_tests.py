"""Whether tests take their long forms and keep all screenshots: `make soak` sets PORTAL_TESTS_LONG."""

import os

LONG = "PORTAL_TESTS_LONG" in os.environ
