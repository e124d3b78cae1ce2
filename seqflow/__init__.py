"""Likelihood models of raw waveforms and sensor sequences by 1-D invertible convolutional flows."""
