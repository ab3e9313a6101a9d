"""What a person sees of a study that runs: the progress its runs leave in their state folders, on a terminal or as
plain lines.

Must not import the study, jobs, or the cluster, nor load torch: Snakemake's own process reads it.
"""
