"""A local replica of the bucket that hosts Kinetics, for tests and for people."""
