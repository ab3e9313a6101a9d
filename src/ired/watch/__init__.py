"""What a person sees of a study that runs: the progress its runs leave in their state folders, on a terminal or as
plain lines.

Must not import the command line. What Snakemake's own process reads of it, `board` and `screen`, loads no torch.
"""
