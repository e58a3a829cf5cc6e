"""The pages of password, sessions, lock and removal."""
