"""The page of an account's record."""
