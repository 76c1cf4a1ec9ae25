"""The life cycle of a job and of its rows: the only writer of states, what moves a job on, and the work that a result brings."""
