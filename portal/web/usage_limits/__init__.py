"""The page of the limits of calls and of what happens above them."""
