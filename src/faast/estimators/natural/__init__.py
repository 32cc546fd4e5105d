"""Natural-gradient learning of a softmax layer in one pass over a stream of rows."""
