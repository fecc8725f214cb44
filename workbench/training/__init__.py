"""Training loops as generators, their losses and augmentation, prediction and metrics."""
