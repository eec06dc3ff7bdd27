"""Settings in an empty instance."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from portal.settings import WrongSetting, load_settings


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An instance without settings."""
    return {"PORTAL_INSTANCE_PATH": str(tmp_path)}


def problem_of(environ: Mapping[str, str]) -> str:
    with pytest.raises(WrongSetting) as refusal:
        load_settings(environ)
    return str(refusal.value)
