"""Bytes from the network: requests, retries, origins, spools and the proof of what came."""
