"""The OA server: official documents signed, sealed and exchanged between government offices."""
