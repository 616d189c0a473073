"""示范 demo: everything fictitious that a trial installation is filled with, and nothing that a real one runs."""
