"""Who may do what: tokens with scopes, the scope of every route, and how much a client may ask."""
