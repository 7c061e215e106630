"""A small real system under load: what `make demo` shows and what the tests break."""
