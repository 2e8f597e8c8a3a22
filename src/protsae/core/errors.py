"""Errors that are meant for the person at the keyboard."""


class InputError(ValueError):
    """Something the user gave is wrong: a file, a record, a parameter.

    The message names the file, the line or id, the offending value and the way out. The command line shows it
    without a traceback.
    """
