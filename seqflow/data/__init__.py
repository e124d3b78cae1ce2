"""From files to windows: readers, splits, sampling. Knows nothing of models."""
