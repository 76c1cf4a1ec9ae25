"""All SQL of Adhop, by noun. Functions take an open session and never commit, unless they say so."""
