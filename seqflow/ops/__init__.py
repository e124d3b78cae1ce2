"""Pure functions on tensors: convolutions, transforms and gates, with their log-determinants."""
