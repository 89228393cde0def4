"""What tests of integrations share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def own_dvc_folders(tmp_path_factory: pytest.TempPathFactory):
    """DVC's configuration and scratch of the person who runs the tests are neither read nor written."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp("dvc-own")))
        yield
