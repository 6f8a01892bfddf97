"""What tests of the plan manager share."""

import pytest
from managed_plans import Plans


@pytest.fixture
def plans() -> Plans:
    return Plans()
