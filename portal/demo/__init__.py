"""Data to look at: accounts and keys with a year behind them, made through the rules, in their order."""
