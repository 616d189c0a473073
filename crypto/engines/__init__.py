"""Where algorithms come from that the `cryptography` package does not have."""
