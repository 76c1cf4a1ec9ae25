"""What stands before the routes: who is calling, how often and how much at once, and how long a connection may take."""
