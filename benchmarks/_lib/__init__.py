"""What the benchmarks share: data sets, paths, and the writing of pages."""
