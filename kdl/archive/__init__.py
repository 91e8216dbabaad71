"""A byte stream to clips on disk: inflated, untarred, hashed and written while the bytes arrive."""
