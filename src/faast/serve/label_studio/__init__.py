"""Label Studio: what its projects ask for, and the messages it sends to a model."""
