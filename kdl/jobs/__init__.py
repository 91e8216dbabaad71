"""The verbs: each reads top to bottom like its paragraph in the README."""
