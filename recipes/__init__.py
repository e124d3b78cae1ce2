"""Recipes that come with seqflow, as YAML files in one folder per kind of data."""
