"""What people and other programs read about a mirror."""
