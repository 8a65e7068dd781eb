"""What can be done from the shell: python -m npvae COMMAND.

describe    what data are, and what to begin with
train       a model of them
evaluate    what it is worth
diagnose    what is wrong with it
sample      rows that it makes
verify      whether it is still what was trained
"""
