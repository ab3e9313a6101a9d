"""What tells a person how a cluster and the jobs on it fare: status, doctor, a site's settings. Changes no number.

Must not import anything that reads tables.
"""
