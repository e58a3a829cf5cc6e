"""The first page of an account: what needs its owner, and how its keys are used."""
