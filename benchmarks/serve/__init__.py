"""`faast serve` beside other servers."""
