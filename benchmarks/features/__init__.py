"""Accuracy, calibration and speed of classifiers on frozen features."""
