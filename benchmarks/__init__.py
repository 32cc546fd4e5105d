"""Scripts that measure: each writes a page of results/ and is run as a module."""
