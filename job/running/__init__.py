"""One job, from its spec to its result."""
