"""The examples of the documentation, a module for each language. They run as they stand; a test does that.

Each takes ``CHATELAINE_URL``, ``CHATELAINE_KEY`` and ``CHATELAINE_SECRET`` from the
environment, as the .env file of a new key has them; those of a service also
``VISITOR_SECRET``, which its visitor has shown.
"""
