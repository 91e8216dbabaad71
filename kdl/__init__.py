"""kdl mirrors the Kinetics video datasets: fetched, verified, repaired, resized and listed.

The command line is :mod:`kdl.cli`; each verb of it calls one function of :mod:`kdl.jobs`.
"""

__version__ = "0.1.0"
