"""Work that runs on other machines: the runner over a cluster, and what the two sides tell each other."""
