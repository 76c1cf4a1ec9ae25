"""SQL by noun, of what more than one process reads or writes. Functions take an open session and never commit, unless they
say so."""
