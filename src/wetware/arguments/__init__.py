"""Arguments: what each command takes, a file a command. Only the standard library is imported here, so that ``--help`` answers
at once."""
