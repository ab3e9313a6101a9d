"""The exceptions for mistakes a user can mend: one line that names the thing and the cure."""


class UserError(Exception):
    """Bad input, configuration or files. The command line prints the message alone and exits non-zero."""


class PassingError(UserError):
    """One that another node, or a minute later, may not have: a full disk, no accelerator, a late file."""
