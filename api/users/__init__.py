"""Users, their keys and limits: what administrators see to."""
