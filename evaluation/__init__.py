"""`adhop-evaluate`: the method's three tables, the challenge's metric and the spread's worth from any labelled set, for people."""
