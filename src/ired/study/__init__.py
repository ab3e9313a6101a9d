"""config.yaml, checked and resolved to runs: scales, variants, experiments, and one run's configuration.

Must not import jobs, diagnostics, or anything that reads tables: a plan of the workflow asks it, and must not wait.
"""
