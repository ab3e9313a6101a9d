"""One training job on whatever machine: locks, heartbeat, events, deadline, publishing of finished runs.

Must not import diagnostics, the cluster's commands for people, or anything that reads tables.
"""
