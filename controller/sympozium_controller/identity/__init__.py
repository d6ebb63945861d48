"""Who may use which subjects of the bus: tokens reviewed by the API server, grants signed here."""
