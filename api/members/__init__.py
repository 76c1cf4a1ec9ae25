"""The members of the ensemble and who hosts them."""
