"""The SQLite database that knows every object, clip and derivative of a mirror."""
