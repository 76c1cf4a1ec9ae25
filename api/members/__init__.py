"""The members that jobs may name, who hosts them now, and which ones a job uses."""
