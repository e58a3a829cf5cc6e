"""The page for leaked secrets."""
