"""Clips to derivatives: recipes, filter graphs, ffmpeg processes, and the pool that they run in."""
