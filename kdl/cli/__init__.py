"""The command line: one file a verb; each parses, calls one job and renders its result."""
