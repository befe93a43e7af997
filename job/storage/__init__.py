"""Files: paths, atomic writes, checksums."""
