"""A study of one's own: a strategy, a network and a task, outside the package."""
