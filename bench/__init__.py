"""`make bench`: the verification of keys, side by side with four other ways."""
