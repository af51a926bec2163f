"""Pictures as training data: found, paired, split, decoded once, checked, and cut into batches."""
