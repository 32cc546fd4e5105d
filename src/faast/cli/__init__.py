"""The command line `faast`: one file per command, named as the command.

`main` lists the commands. Files that begin with an underscore hold what several commands share.
"""
