"""Lines that keep the promises, broken on purpose: does a test notice? ``make mutants`` runs it."""
