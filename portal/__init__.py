"""Chatelaine: a self-hosted portal for API keys."""
