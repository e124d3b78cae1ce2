"""Conditioners: networks that compute the parameters of a coupling. They know nothing of bijections."""
