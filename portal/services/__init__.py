"""The rules. No Flask, no WTForms; the only code that commits."""
