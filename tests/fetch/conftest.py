"""The suite that every source passes tells what failed, as the tests of a module do."""

import pytest

pytest.register_assert_rewrite("conformance")
