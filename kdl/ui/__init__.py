"""What people and programs see of a run: a live terminal, plain lines, JSON.

Only this room and ``kdl.cli`` know rich. ``factory.make_ui`` chooses among the faces; ``view`` draws a
run's picture; ``tables``, ``summary`` and ``status`` give the renderables of the verbs; ``errors`` puts
an error on stderr. Nothing is imported here, so that ``kdl --help`` does not pay for rich.
"""
