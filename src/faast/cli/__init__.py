"""The command line `faast`: one file a command."""
