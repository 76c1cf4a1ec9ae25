"""What the front end and the workers must agree on: structures, parameters, states, errors, tables."""
