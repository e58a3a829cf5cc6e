"""Runs every promise against an installation of its own, made for it and thrown away.

It tries to break each rule as somebody would who wants to: through the real application,
past it with raw SQL, and with the clock in its hand. The installation that it is called on
gives the kind of database and the address, and is only read: its guards, its rows and its peppers
are what every proof rests on.
"""
