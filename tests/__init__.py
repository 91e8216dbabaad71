"""kdl's tests."""
