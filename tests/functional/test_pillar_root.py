"""A pillar under a key that is nearly ours is not passed over for all defaults."""

from __future__ import annotations

from typing import Any

import pytest
import salt.loader
from salt.exceptions import SaltInvocationError


@pytest.mark.parametrize("key", ["sendmail-james", "sendmail_jame"])
def test_a_key_that_is_nearly_ours_is_the_callers_mistake(
    options: dict[str, Any], key: str
) -> None:
    opts = options | {"pillar": {key: {"relay": {"port": 26}}, "others": {}}}
    modules = salt.loader.minion_mods(opts, utils=salt.loader.utils(opts))
    with pytest.raises(SaltInvocationError, match=f"got '{key}' and none of this name: rename it"):
        modules["sendmail_james.drift"]()
