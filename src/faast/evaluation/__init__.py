"""Evaluation protocols, metrics and the baselines that faast is compared with."""
