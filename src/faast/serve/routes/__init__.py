"""The routes, one subject a module, each with what its requests and answers hold."""
