"""How like recordings are generated sequences? Pure functions on arrays, of sets of sequences.

Shapes: a set is (N, C, T), N sequences of C channels and T samples, finite, in the units of the data.
"""
