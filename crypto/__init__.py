"""Certificates and signatures: no network, no files, no clock (the moment is an argument); knows nothing of offices."""
